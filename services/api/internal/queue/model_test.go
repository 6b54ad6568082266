package queue

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

var (
	modelSeed  = flag.Uint64("model-seed", 0, "seed of the model test; 0: those it always runs")
	modelSteps = flag.Int("model-steps", 400, "steps for each seed of the model test")
)

// model is what a queue should be: messages in order, the first ones pending.
type model struct {
	t     *testing.T
	r     *rand.Rand
	q     *limited
	c     *redis.Client
	log   []string
	next  int             // for ids that were not there before
	taken map[string]bool // what is known for the same when it is sent again
	held  []*modelMessage // in the queue
	dead  []*modelMessage // dead letters
	etags []modelETag     // all that were ever given
	alone *modelMessage   // the only message of the last answer
	last  *modelMessage   // the last message of the last answer
	stuck *modelMessage   // the last one of those that have a suspect among them

	suspect        *modelMessage
	tried          []*modelMessage // in its stead
	alone1         *modelMessage   // of those, what is confirmed now
	probes, proofs int
	trying         bool  // the last answer was a try
	max            int   // deliveries
	room           int64 // messages
	lives          modelEpochs
	again          bool // ids are given again after a restore
}

type modelMessage struct {
	payload    string
	seq        int // counts all messages that were ever put into the queue
	deliveries int
	pending    bool
	over       bool // past its end: the next pull drops it
}

type modelETag struct {
	etag    *qst.ETag
	last    *modelMessage
	epoch   string // without the mark of what was tried alone
	alone   bool   // it was tried alone: it confirms no other
	expired bool   // its queue is no more
}

// Whatever is done to a queue, in whatever order: contents, order, what is pending, how often each
// message was delivered and every figure are what a simple model says.
func TestModel(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	if *modelSeed != 0 {
		seeds = []uint64{*modelSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := &model{t: t, r: rand.New(rand.NewPCG(seed, seed)), taken: map[string]bool{}, room: 30}
			m.max = int(seed % 4)
			m.q, m.c = open(t, func(o *Options, l *Limits) {
				l.MaxMessages, l.MaxDeliveries, l.DedupWindow, o.MaxDigests = m.room, m.max, 10_000*time.Hour, 1<<20
				o.DeadLetters.MaxMessages = modelDead
			})
			m.again = seed%2 == 0
			for range *modelSteps {
				m.step()
				m.check()
				if t.Failed() {
					t.Fatalf("after\n%s", strings.Join(m.log[max(0, len(m.log)-30):], "\n"))
				}
			}
		})
	}
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) step() {
	switch n := m.r.IntN(100); {
	case n < 35:
		m.push()
	case n < 85:
		m.pull()
	case n < 90:
		m.requeue()
	case n < 92:
		m.drop()
	case n < 94:
		m.purge()
	case n < 95:
		m.del()
	case n < 97:
		m.copyOrRestore()
	case n < 98:
		m.note("scripts flushed")
		m.c.ScriptFlush(m.t.Context())
	default:
		m.giveBack()
	}
}

func (m *model) push() {
	n := 1 + m.r.IntN(6)
	messages := make([]qst.Message, n)
	for i := range messages {
		id := fmt.Sprint("new", m.next)
		m.next++
		if m.r.IntN(3) == 0 {
			id = fmt.Sprint("again", m.r.IntN(20))
		}
		messages[i] = qst.Message{ID: id, When: "w", Body: strings.Repeat("x", m.r.IntN(3)*100)}
	}
	var fresh []*modelMessage
	var digests []string
	b := Batch{Last: messages[n-1].ID}
	known := map[string]bool{}
	for i := range messages {
		d := messages[i].Digest()
		key := string(d[:])
		e := Entry{Digest: d[:], Payload: messages[i].AppendCanonical(nil)}
		switch m.r.IntN(8) {
		case 0:
			e.Until = time.Unix(1, 0)
		case 1:
			e.Until = time.Now().Add(time.Hour)
		}
		b.Entries = append(b.Entries, e)
		if !m.taken[key] && !known[key] {
			known[key] = true
			fresh = append(fresh, &modelMessage{payload: string(e.Payload), over: e.Until.Unix() == 1})
			digests = append(digests, key)
		}
	}
	r, err := m.q.Queues.Push(m.t.Context(), inbox, m.q.caller, b)
	m.note("push of %d, %d new: %+v %v", n, len(fresh), r, err)
	if int64(len(m.held)+len(fresh)) > m.room {
		m.lapse() // to make room
	}
	if int64(len(m.held)+len(fresh)) > m.room {
		if !errors.Is(err, ErrFull) {
			m.t.Errorf("a push into a full queue: %+v %v", r, err)
		}
		return
	}
	if err != nil || r.Accepted != len(fresh) || r.Duplicates != n-len(fresh) {
		m.t.Errorf("push: %+v %v, want %d new of %d", r, err, len(fresh), n)
	}
	for i, p := range fresh {
		m.taken[digests[i]] = true
		m.arrive(p)
	}
}

// request makes up a pull, and what it confirms.
func (m *model) request() (r Request, confirmed int) {
	r.Max = m.r.IntN(8)
	if m.r.IntN(4) == 0 || len(m.etags) == 0 {
		return r, 0
	}
	e := m.etags[len(m.etags)-1]
	if m.r.IntN(3) == 0 {
		e = m.etags[m.r.IntN(len(m.etags))]
	}
	made := *e.etag
	r.Processed = UpTo(&made)
	switch m.r.IntN(12) {
	case 0: // another queue's
		made.Epoch = "0123456789abcdef"
		return r, 0
	case 1: // never given out
		if e.epoch != m.lives.now || e.alone {
			break
		}
		made.ID.Ms += 1_000_000_000
		return r, 0
	}
	if e.expired {
		return r, 0
	}
	return r, m.confirms(e)
}

// confirms returns how many messages an ETag confirms; -1: that one alone.
func (m *model) confirms(e modelETag) int {
	if e.epoch != m.lives.now {
		return m.confirmedBefore(e)
	}
	for i, h := range m.held {
		if h == e.last && h.pending {
			if e.alone {
				m.alone1 = h
				return -1
			}
			return i + 1
		}
	}
	return 0
}

// confirmAlone confirms what was tried in a suspect's stead.
func (m *model) confirmAlone(h *modelMessage) {
	remove := func(h *modelMessage) {
		m.held = slices.DeleteFunc(m.held, func(x *modelMessage) bool { return x == h })
	}
	remove(h)
	if !h.pending {
		return
	}
	if m.proofs++; m.proofs > 1 && m.suspect != nil && slices.Contains(m.held, m.suspect) {
		remove(m.suspect)
		m.dead = append(m.dead, m.suspect)
		m.dead = m.dead[max(0, len(m.dead)-modelDead):]
		m.suspect, m.proofs = nil, 0
	}
}

// arrive puts messages at the queue's end.
func (m *model) arrive(l ...*modelMessage) {
	for _, h := range l {
		m.next++
		h.seq = m.next
		m.held = append(m.held, h)
	}
}

// among counts what is pending up to a message.
func (m *model) among(last *modelMessage) (n int) {
	for _, h := range m.held {
		if h.pending && last != nil && h.seq <= last.seq {
			n++
		}
	}
	return n
}

func (m *model) pull() {
	r, confirmed := m.request()
	m.pullAs(r, confirmed)
}

// pullAs does a pull that is to confirm so many messages.
func (m *model) pullAs(r Request, confirmed int) {
	d, err := m.q.Pull(m.t.Context(), inbox, r)
	m.note("pull of %d, etag %v: confirms %d, %d messages, %v", r.Max, r.Processed.etag, d.Confirmed, len(d.Payloads), err)
	if err != nil {
		m.t.Errorf("pull: %v", err)
		return
	}
	if d.Confirmed != max(confirmed, -confirmed) {
		m.t.Errorf("pull: confirmed %d, want %d", d.Confirmed, confirmed)
	}
	if confirmed > 0 && r.Processed.etag.Epoch == m.lives.now { // not a marked one
		m.lives.before = nil
	}
	if confirmed < 0 {
		m.confirmAlone(m.alone1)
	} else {
		m.held = m.held[confirmed:]
	}
	answer := m.read(r.Max, confirmed != 0)
	var want []string
	for _, h := range answer {
		want = append(want, h.payload)
	}
	if !slices.Equal(d.Payloads, want) {
		m.t.Errorf("pull:\n%s\nwant\n%s", strings.Join(d.Payloads, "\n"), strings.Join(want, "\n"))
	}
	m.given(d, answer)
}

// given notes the ETag of an answer.
func (m *model) given(d Delivery, answer []*modelMessage) {
	if len(answer) == 0 {
		return
	}
	e := modelETag{etag: d.ETag, last: answer[len(answer)-1], epoch: d.ETag.Epoch, alone: m.trying}
	if e.alone {
		first, _ := strconv.ParseUint(e.epoch[:1], 16, 8)
		e.epoch = fmt.Sprintf("%x", first^8) + e.epoch[1:]
	}
	m.etags = append(m.etags, e)
}

// modelDead is how many dead letters the model's queue may have.
const modelDead = 5

// read delivers what a pull of so many messages is to have.
func (m *model) read(most int, confirmed bool) (answer []*modelMessage) {
	m.lapse()
	trying := false
	if most > 0 && m.max > 0 && len(m.held) > 0 && m.held[0].pending {
		var whole bool
		if most, trying, whole = m.narrow(most, !confirmed && m.last != nil); !whole {
			pending := 0
			for _, h := range m.held {
				if h.pending {
					pending++
				}
			}
			most = min(most, pending)
		}
	}
	if trying {
		if h := m.try(); h != nil {
			answer = append(answer, h)
		} else {
			trying = false
		}
	}
	for i := 0; !trying && most > 0 && i < len(m.held) && len(answer) < most; i++ {
		answer = append(answer, m.held[i])
	}
	for _, h := range answer {
		h.pending = true
		h.deliveries++
	}
	m.trying = trying
	if n := len(answer); n > 0 {
		m.alone, m.last = nil, answer[n-1]
		if n == 1 {
			m.alone = answer[0]
		}
		if trying {
			m.last = nil
		}
	}
	return answer
}

// narrow says how many messages the client may have, whether another one is tried, and whether it may
// have new ones, too.
func (m *model) narrow(most int, failed bool) (n int, trying, whole bool) {
	if failed {
		m.stuck = m.last
	}
	if m.stuck == nil && len(m.tried) == 0 {
		return most, false, true
	}
	among := m.among(m.stuck)
	if among == 0 {
		m.stuck, m.suspect, m.proofs = nil, nil, 0
		left := 0
		for _, h := range m.tried {
			left += m.among(h)
		}
		if left == 0 {
			m.tried, m.probes = nil, 0
		}
		return most, false, true
	}
	if head := m.held[0]; among == 1 && failed && m.alone == head && head.deliveries >= m.max {
		if m.suspect != head {
			m.suspect, m.proofs, m.probes = head, 0, 0
		}
		return 1, true, false
	}
	n = min(most, (among+1)/2)
	return n, false, n == most
}

// try returns the message that is tried in the suspect's stead.
func (m *model) try() *modelMessage {
	turn := m.probes % 8
	var h *modelMessage
	for i, other := range m.held[1:] {
		if h = other; i == turn || !h.pending {
			break
		}
	}
	if h != nil {
		m.probes++
		m.tried = append(m.tried, h)
	}
	return h
}

// lapse drops what is past its end.
func (m *model) lapse() {
	m.held = slices.DeleteFunc(m.held, func(h *modelMessage) bool { return h.over })
}

// giveBack takes a delivery back.
func (m *model) giveBack() {
	d, err := m.q.Pull(m.t.Context(), inbox, Request{Max: 5})
	answer := m.read(5, false)
	if err != nil || len(d.Payloads) != len(answer) {
		m.t.Errorf("pull: %d messages, %v, want %d", len(d.Payloads), err, len(answer))
		return
	}
	m.note("%d messages given back", len(answer))
	if len(answer) == 0 {
		return
	}
	m.given(d, answer)
	i := m.r.IntN(len(answer))
	m.q.GiveBack(m.t.Context(), inbox, m.q.caller, d, i)
	for _, h := range answer[i:] {
		h.deliveries--
	}
	if m.last = nil; i > 0 && !m.trying {
		m.last = answer[i-1]
	}
}

func (m *model) deadID(i int) string {
	return m.c.XRange(m.t.Context(), m.q.key(inbox).Dead(), "-", "+").Val()[i].ID
}

func (m *model) requeue() {
	if len(m.dead) == 0 {
		return
	}
	i := m.r.IntN(len(m.dead))
	if err := m.q.Requeue(m.t.Context(), inbox, m.deadID(i)); err != nil {
		m.t.Error(err)
	}
	m.note("dead letter %d put back", i)
	m.arrive(&modelMessage{payload: m.dead[i].payload, over: m.dead[i].over})
	m.dead = slices.Delete(m.dead, i, i+1)
}

func (m *model) drop() {
	if len(m.dead) == 0 {
		return
	}
	i := m.r.IntN(len(m.dead))
	if err := m.q.DeleteDeadLetter(m.t.Context(), inbox, m.deadID(i)); err != nil {
		m.t.Error(err)
	}
	m.note("dead letter %d dropped", i)
	m.dead = slices.Delete(m.dead, i, i+1)
}

func (m *model) purge() {
	expected := int64(len(m.held) + m.r.IntN(2))
	n, err := m.q.Purge(m.t.Context(), inbox, expected)
	m.note("purge if there are %d: %d %v", expected, n, err)
	if n != int64(len(m.held)) || (err == nil) != (expected == n) {
		m.t.Errorf("purge if there are %d: %d %v, there are %d", expected, n, err, len(m.held))
	}
	if err == nil {
		m.held, m.dead, m.taken = nil, nil, map[string]bool{}
	}
}

func (m *model) del() {
	n, err := m.q.Delete(m.t.Context(), inbox.Channel, "")
	m.note("deleted: %d %v", n, err)
	if errors.Is(err, ErrNotFound) && len(m.held) == 0 {
		return
	}
	if err != nil || n != int64(len(m.held)) {
		m.t.Errorf("delete: %d %v, there are %d", n, err, len(m.held))
	}
	m.held, m.dead, m.taken, m.alone = nil, nil, map[string]bool{}, nil
	m.last, m.stuck, m.suspect, m.tried, m.probes, m.proofs = nil, nil, nil, nil, 0, 0
	m.lives.before = nil
	for i := range m.etags {
		m.etags[i].expired = true
	}
}

// check compares everything that Redis has of the queue with the model.
func (m *model) check() {
	if len(m.held) == 0 {
		m.last, m.stuck, m.suspect, m.tried, m.probes, m.proofs = nil, nil, nil, nil, 0, 0
	}
	ctx, k, p := m.t.Context(), m.q.key(inbox), m.q.partition()
	entries := m.c.XRange(ctx, k.Stream, "-", "+").Val()
	counts := map[string]int64{}
	for _, e := range m.c.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: k.Stream, Group: consumerGroup, Start: "-", End: "+", Count: 1000}).Val() {
		counts[e.ID] = e.RetryCount
	}
	var have, want []string
	bytes := 0
	for _, e := range entries {
		count, pending := counts[e.ID]
		for _, payload := range e.Values {
			have = append(have, fmt.Sprint(payload, pending, count))
			bytes += len(fmt.Sprint(payload))
		}
	}
	for _, h := range m.held {
		deliveries := 0
		if h.pending {
			deliveries = h.deliveries
		}
		want = append(want, fmt.Sprint(h.payload, h.pending, deliveries))
	}
	if !slices.Equal(have, want) || len(counts) > len(have) {
		m.t.Errorf("the queue holds\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	meta := m.c.HGetAll(ctx, k.Meta()).Val()
	m.lives.now = meta["epoch"]
	totals := m.c.HGetAll(ctx, p.Totals()).Val()
	figures := map[string][2]int64{
		"messages": {number(meta["messages"]), int64(len(m.held))}, "bytes": {number(meta["tail"]) - number(meta["head"]), int64(bytes)},
		"pending":        {number(meta["pending"]), int64(len(counts))},
		"total messages": {number(totals["messages"]), int64(len(m.held))}, "total bytes": {number(totals["bytes"]), int64(bytes)},
		"dead": {m.c.XLen(ctx, k.Dead()).Val(), int64(len(m.dead))}, "total dead": {number(totals["dead"]), int64(len(m.dead))},
		"index of the dead": {int64(m.c.ZScore(ctx, p.Dead(), k.Name).Val()), int64(len(m.dead))},
	}
	for what, f := range figures {
		if f[0] != f[1] {
			m.t.Errorf("%s: %d, want %d", what, f[0], f[1])
		}
	}
	score, err := m.c.ZScore(ctx, p.Oldest(), k.Name).Result()
	if (err == nil) != (len(entries) > 0) || err == nil && score > float64(milliseconds(entries[0].ID)) {
		m.t.Errorf("index of the oldest: %v %v, of %d entries", score, err, len(entries))
	}
	if due, err := m.c.ZScore(ctx, p.Due(), k.Name).Result(); len(entries) > 0 && (err != nil || due > float64(milliseconds(entries[0].ID)+m.q.caller.Limits.Retention.Milliseconds())) {
		m.t.Errorf("index of what is due: %v %v", due, err)
	}
	depth := m.c.ZScore(ctx, p.Depth(), k.Name).Val()
	if n := float64(len(m.held)); n < 16 && depth != 0 || n >= 16 && (depth > n || 2*depth <= n) {
		m.t.Errorf("index of the deepest: %v of %v", depth, n)
	}
}
