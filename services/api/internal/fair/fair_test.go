package fair_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/fair"
)

// A name that has put in a thousand items does not keep another one waiting for more than
// one of them, and costly items count for what they cost.
func TestQueueIsFair(t *testing.T) {
	t.Parallel()
	var q fair.Queue[string]
	for i := range 1000 {
		q.Add("flood", "flood "+strconv.Itoa(i), 1)
	}
	for range 10 {
		q.Take()
	}
	q.Add("neighbour", "neighbour", 1)
	before := 0
	for v, _ := q.Take(); v != "neighbour"; v, _ = q.Take() {
		before++
	}
	if before > 1 {
		t.Errorf("%d items went before the neighbour's", before)
	}

	q = fair.Queue[string]{}
	for range 100 {
		q.Add("large", "large", 50)
		q.Add("small", "small", 1)
	}
	q.Take() // one of either
	large, small := 0, 0
	for range 60 {
		switch v, _ := q.Take(); v {
		case "large":
			large++
		case "small":
			small++
		}
	}
	if large > 3 || small < 57 {
		t.Errorf("%d large ones, %d small ones", large, small)
	}
}

// Whatever is put in and taken out, each item comes out once, and those of one name in order.
func TestQueueLosesNothing(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	var q fair.Queue[int]
	held := make(map[string][]int)
	next, n := 0, 0
	for range 20_000 {
		name := strconv.Itoa(random.IntN(7))
		switch random.IntN(5) {
		case 0, 1:
			next++
			q.Add(name, next*10+int(name[0]-'0'), int64(random.IntN(100)))
			held[name] = append(held[name], next*10+int(name[0]-'0'))
			n++
		case 2, 3:
			first, _ := q.First()
			v, ok := q.Take()
			if ok != (n > 0) || v != first {
				t.Fatal(v, first, ok, n)
			}
			if ok {
				of := strconv.Itoa(v % 10)
				if held[of][0] != v {
					t.Fatalf("%d before %d", v, held[of][0])
				}
				held[of] = held[of][1:]
				n--
			}
		case 4:
			if l := held[name]; len(l) > 0 {
				i := random.IntN(len(l))
				if !q.Remove(name, l[i]) || q.Remove(name, l[i]) {
					t.Fatal("remove")
				}
				held[name] = slices.Delete(slices.Clone(l), i, i+1)
				n--
			} else if q.Remove(name, 1) {
				t.Fatal("removed what is not there")
			}
		}
		if q.Len() != n || q.LenOf(name) != len(held[name]) {
			t.Fatalf("%d of %d", q.Len(), n)
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := fair.NewLimit(2)
		ctx := t.Context()
		if !l.Enter(ctx, "a", 0) || !l.Enter(ctx, "a", 0) || !l.Enter(ctx, "b", 0) {
			t.Fatal("there are places")
		}
		if l.Full() != 1 || l.In("a") != 2 || l.In("c") != 0 {
			t.Error("counts", l.Full(), l.In("a"))
		}
		if l.Enter(ctx, "a", time.Second) {
			t.Fatal("a third one is in")
		}
		got := make(chan int, 2)
		for i := range 2 {
			go func() {
				if l.Enter(ctx, "a", time.Minute) {
					got <- i
				}
			}()
			synctest.Wait()
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if l.Enter(gone, "a", time.Minute) {
			t.Fatal("a fourth one is in")
		}
		l.Leave("a")
		if i := <-got; i != 0 {
			t.Error("the second one came first")
		}
		l.Leave("a")
		<-got
		l.Leave("a")
		l.Leave("a")
		l.Leave("b")
		if l.Full() != 0 || l.In("a") != 0 || !l.Enter(ctx, "a", 0) {
			t.Error("places are lost")
		}
	})
}

// However many come and go, there are never more in than may be, and at the end none.
func TestLimitHolds(t *testing.T) {
	t.Parallel()
	l := fair.NewLimit(3)
	var wg sync.WaitGroup
	for i := range 50 {
		name := strconv.Itoa(i % 3)
		wg.Go(func() {
			for range 200 {
				if !l.Enter(t.Context(), name, time.Duration(rand.IntN(1000))*time.Microsecond) { //nolint:gosec // no secret
					continue
				}
				if n := l.In(name); n < 1 || n > 3 {
					t.Errorf("%d are in", n)
				}
				l.Leave(name)
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"0", "1", "2"} {
		if l.In(name) != 0 {
			t.Errorf("%d of %s are left", l.In(name), name)
		}
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	b := fair.NewBytes(100, 60)
	a, a2, other := b.Share("a"), b.Share("a"), b.Share("other")
	for _, step := range []struct {
		what *fair.Share
		n    int64
		ok   bool
	}{
		{&a, 40, true},
		{&a2, 21, false}, // a's share is over
		{&a2, 20, true},
		{&other, 41, false}, // all is over
		{&other, 40, true},
		{&a, 10, true},
		{&other, 60, true},
		{&other, 1000, true}, // no more than its share
		{&a, 21, false},
	} {
		if step.what.Set(step.n) != step.ok {
			t.Errorf("%d", step.n)
		}
	}
	if b.Used() != 90 || b.UsedBy("a") != 30 || b.UsedBy("other") != 60 {
		t.Errorf("used %d, by a %d", b.Used(), b.UsedBy("a"))
	}
	a.GiveBack()
	a2.GiveBack()
	other.GiveBack()
	if b.Used() != 0 || b.UsedBy("a") != 0 {
		t.Error("something is left")
	}
	var none fair.Share
	if !none.Set(1 << 40) {
		t.Error("a share of nothing")
	}
}
