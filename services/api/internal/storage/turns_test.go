package storage

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/redis/go-redis/v9"
)

func TestChannelOf(t *testing.T) {
	t.Parallel()
	l := NewLayout("qst", 8, false)
	for key, want := range map[string]string{
		l.Queue("+855.12@x", "inbound").Stream:      "+855.12@x",
		l.Queue("+855.12@x", "outbound").Activity(): "+855.12@x",
		l.Record("+855.12@x"):                       "+855.12@x",
		l.Stored():                                  "qst:layout",
		l.Partitions()[0].LastSeen():                l.Partitions()[0].LastSeen(),
		"qst:wake:r":                                "qst:wake:r",
	} {
		if got := channelOf(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

// However much one channel has waiting, another one's command is among the next few; what is
// too large for a pipeline waits for the next one and loses its turn to nobody.
func TestTurnsAreShared(t *testing.T) {
	t.Parallel()
	q := newTurns(1)
	add := func(channel string, bytes int) *job {
		j := &job{channel: channel, size: bytes, cmd: redis.NewCmd(t.Context(), "evalsha"), queued: time.Now(), done: make(chan struct{}, 1)}
		q.add(j)
		return j
	}
	for i := range 2000 {
		add("flood", 1000*(i%7))
	}
	q.take()
	j := add("neighbour", 10)
	for i := 0; ; i++ {
		if q.take() == j {
			break
		}
		if i == 2 {
			t.Fatal("the neighbour waits for the flood: " + strconv.Itoa(i))
		}
	}
	q = newTurns(1)
	large := add("a", 5000)
	none := map[string]int{}
	if q.takeWithin(4999, pipelineOfOne, none) != nil {
		t.Error("too large")
	}
	small := add("b", 1)
	if q.takeWithin(5000, pipelineOfOne, none) != large || q.takeWithin(1, pipelineOfOne, none) != small || q.take() != nil {
		t.Error("order")
	}
	one := add("a", 1)
	if q.takeWithin(5000, pipelineOfOne, map[string]int{"a": pipelineOfOne}) != nil || q.take() != one {
		t.Error("a channel has no more of a pipeline than it may")
	}
	withdrawn := add("a", 1)
	if !q.withdraw(withdrawn) || q.withdraw(withdrawn) || q.take() != nil {
		t.Error("withdrawn")
	}
}

// A job that has waited for too long takes nobody's turn, and is told.
func TestLateJobsEnd(t *testing.T) {
	t.Parallel()
	q := newTurns(1)
	add := func(queued time.Time) *job {
		j := &job{channel: "c", cmd: redis.NewCmd(t.Context(), "evalsha"), queued: queued, done: make(chan struct{}, 1)}
		q.add(j)
		return j
	}
	late := time.Now().Add(-ConnectionWait - time.Second)
	jobs := []*job{add(late), add(late), add(time.Now()), add(late), add(time.Now())}
	taken := map[string]int{}
	if q.take() != jobs[2] || q.takeWithin(1<<20, pipelineOfOne, taken) != jobs[4] {
		t.Error("a late job has a turn")
	}
	for _, i := range []int{0, 1, 3} {
		select {
		case <-jobs[i].done:
		default:
			t.Errorf("job %d waits on", i)
		}
		if !errors.Is(jobs[i].err, errWaited) {
			t.Errorf("job %d: %v", i, jobs[i].err)
		}
	}
}

// While Redis is frozen, those who would all give it the same script share one failure, or two:
// none of them waits for all the others.
func TestMeetingsThatFailAreShared(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	runner := NewRunner(s.Service(), RunnerOptions{Timeout: 500 * time.Millisecond})
	defer runner.Close()
	script := NewScript(Always, "return {1}")
	s.Freeze()
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			if _, err := runner.Run(t.Context(), script, "qst:k"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
	callers.Wait()
	var failures uint64
	for _, n := range runner.nodes {
		failures, _ = n.process.failed()
	}
	// Who comes after a failure makes another try: they do not all come at once.
	if failures == 0 || failures > 25 {
		t.Errorf("%d meetings failed", failures)
	}
	s.Thaw()
	if _, err := runner.Run(t.Context(), script, "qst:k"); err != nil {
		t.Error(err)
	}
}

// What is large, by its bytes or by its last answer, waits apart from the rest, and one at a time
// of a channel is under way: so nobody else waits for more.
func TestLargeCommandsWaitApart(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	runner := NewRunner(s.Service(), RunnerOptions{Timeout: time.Minute})
	defer runner.Close()
	script := NewScript(Always, "local l = {} for i = 1, tonumber(ARGV[1]) do l[i] = 'x' end return l")
	l := NewLayout("qst", 1, false)
	run := func(channel string, args ...any) {
		if _, err := runner.Run(t.Context(), script, l.Queue(channel, "inbound").Stream, args...); err != nil {
			t.Error(err)
		}
	}
	run("many", 1000)
	run("few", 1)
	var n *node
	for _, n = range runner.nodes {
	}
	s.Freeze()
	var callers sync.WaitGroup
	for range 5 {
		callers.Go(func() { run("many", 1000) })
		callers.Go(func() { run("long", 1, strings.Repeat("x", large)) })
		callers.Go(func() { run("few", 1) })
	}
	waiting := func(q *turns, channel string) int {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.jobs.LenOf(channel)
	}
	// One pipeline of large ones is under way, with one of a channel or of both.
	for waiting(n.plain.large, "many")+waiting(n.plain.large, "long") < 8 {
		runtime.Gosched()
	}
	if a, b := waiting(n.plain.large, "many"), waiting(n.plain.large, "long"); a < 4 || b < 4 {
		t.Errorf("%d and %d wait: more than one of a channel is under way", a, b)
	}
	if a, b := waiting(n.plain.usual, "many"), waiting(n.plain.large, "few"); a+b != 0 {
		t.Errorf("%d large ones wait with the others, %d others with the large ones", a, b)
	}
	s.Thaw()
	callers.Wait()
	run("many", 1) // its answer is small now, and so is its next command
	run("few", 1)
	if n.answers.Len() != 0 {
		t.Errorf("%d channels count as large", n.answers.Len())
	}
}
