package queue

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// modelEpochs are a queue's epochs.
type modelEpochs struct {
	now    string
	before []modelEpoch // that the queue remembers
	copy   *modelCopy   // nil: there is none
}

// modelEpoch is an epoch before, and the last message that was there at its end, 0: none.
type modelEpoch struct {
	epoch string
	end   int
}

// modelCopy is a backup: of Redis, and of the model.
type modelCopy struct {
	keys       map[string]string
	taken      map[string]bool
	held, dead []modelMessage
	alone      int
	client     []*modelMessage // that was delivered last, how far the suspects reach, the suspect, what was tried
	probes     int
	proofs     int
	epoch      string
	before     []modelEpoch
}

// confirmedBefore returns how many messages an ETag of an epoch before confirms: those that its
// client has seen, whether they are known to be delivered or not.
func (m *model) confirmedBefore(e modelETag) (n int) {
	if len(m.lives.before) == 0 || e.epoch[:6] != m.lives.now[:min(6, len(m.lives.now))] {
		return 0
	}
	end := m.lives.before[0].end
	i := slices.IndexFunc(m.lives.before, func(b modelEpoch) bool { return b.epoch == e.epoch })
	if i < 0 { // of a history that is lost: the epoch before it, if that is known
		i = slices.IndexFunc(m.lives.before, func(b modelEpoch) bool { return b.epoch[10:14] == e.epoch[6:10] })
	}
	if i >= 0 {
		end = m.lives.before[i].end
	}
	if e.alone {
		i := slices.IndexFunc(m.held, func(h *modelMessage) bool { return h.seq == e.last.seq })
		if i < 0 || e.last.seq > end {
			return 0
		}
		m.alone1 = m.held[i]
		return -1
	}
	for n < len(m.held) && m.held[n].seq <= min(end, e.last.seq) {
		n++
	}
	return n
}

// askAgainForIDs has what is pushed after a restore be given the ids again that are given from now
// on: the stream has seen a time to come.
func (m *model) askAgainForIDs() {
	ctx, key := m.t.Context(), m.q.key(inbox).Stream
	info, err := m.c.XInfoStream(ctx, key).Result()
	if err != nil {
		return // there is no stream yet
	}
	id := max(milliseconds(info.LastGeneratedID), time.Now().UnixMilli()) + time.Hour.Milliseconds()
	if err := m.c.Do(ctx, "xsetid", key, strconv.FormatInt(id, 10)+"-0").Err(); err != nil {
		m.t.Fatal(err)
	}
}

// copyOrRestore makes a backup, or has Redis lose what has been since the last one.
func (m *model) copyOrRestore() {
	ctx := m.t.Context()
	if m.lives.copy == nil {
		if m.again {
			m.askAgainForIDs()
		}
		b := &modelCopy{keys: map[string]string{}, taken: map[string]bool{}, epoch: m.lives.now, before: slices.Clone(m.lives.before)}
		for _, key := range m.c.Keys(ctx, "qst:{*").Val() {
			b.keys[key] = m.c.Dump(ctx, key).Val()
		}
		for digest := range m.taken {
			b.taken[digest] = true
		}
		for _, h := range m.held {
			b.held = append(b.held, *h)
		}
		for _, h := range m.dead {
			b.dead = append(b.dead, *h)
		}
		if m.alone != nil {
			b.alone = m.alone.seq
		}
		b.client = append([]*modelMessage{m.last, m.stuck, m.suspect}, m.tried...)
		b.probes, b.proofs = m.probes, m.proofs
		m.lives.copy = b
		m.note("backup of %d messages", len(b.held))
		return
	}
	m.push()
	if m.r.IntN(2) == 0 { // a client that goes on to what only the lost history has
		m.pullAs(Request{Max: 100}, 0)
	}
	b := m.lives.copy
	m.note("restored: %d messages", len(b.held))
	if keys := m.c.Keys(ctx, "qst:{*").Val(); len(keys) > 0 {
		m.c.Del(ctx, keys...)
	}
	for key, value := range b.keys {
		if err := m.c.Restore(ctx, key, 0, value).Err(); err != nil {
			m.t.Fatal(err)
		}
		if strings.HasSuffix(key, ":meta") {
			m.c.HSet(ctx, key, "server", "another process")
		}
	}
	m.taken, m.held, m.dead, m.alone = b.taken, nil, nil, nil
	end := 0
	for _, h := range b.held {
		m.held = append(m.held, &h)
		end = h.seq
		if h.seq == b.alone {
			m.alone = &h
		}
	}
	for _, h := range b.dead {
		m.dead = append(m.dead, &h)
	}
	for i, was := range b.client {
		for _, h := range m.held { // the same message, as it is now
			if was != nil && h.seq == was.seq {
				b.client[i] = h
			}
		}
	}
	m.last, m.stuck, m.suspect, m.tried = b.client[0], b.client[1], b.client[2], b.client[3:]
	m.probes, m.proofs = b.probes, b.proofs
	for i, e := range m.etags {
		m.etags[i].expired = b.epoch == "" || e.epoch[:6] != b.epoch[:6]
		for _, h := range m.held { // the same message, as it is now
			if h.seq == e.last.seq {
				m.etags[i].last = h
			}
		}
	}
	m.lives.before, m.lives.copy = b.before, nil
	if b.epoch != "" {
		const kept = 8 // lua/lib/history.lua
		if len(m.lives.before) == kept {
			m.lives.before = slices.Delete(m.lives.before, 1, 2)
		}
		m.lives.before = append(m.lives.before, modelEpoch{epoch: b.epoch, end: end})
		m.lapse()
		// The first script begins the new epoch.
		if _, err := m.q.Pull(ctx, inbox, Request{}); err != nil {
			m.t.Error(err)
		}
		m.lives.now = m.c.HGet(ctx, m.q.key(inbox).Meta(), "epoch").Val()
	}
	m.push()
	if n := len(m.etags); n > 0 && !m.etags[n-1].expired && m.etags[n-1].epoch != m.lives.now {
		m.pullAs(Request{Processed: UpTo(m.etags[n-1].etag), Max: 3}, m.confirmedBefore(m.etags[n-1]))
	}
}
