package fair

import "container/heap"

// Queue holds items under names. What comes out next is of the name that has had least so
// far, by the cost of its items; of one name, the first that went in. (Start-time fair
// queueing: Goyal, Vin, Cheng 1996.)
//
// A name that has nothing in the queue is forgotten: what it had before does not count
// when it comes back. The zero Queue is empty and ready for use. It must not be used by
// two goroutines at a time.
type Queue[T comparable] struct {
	flows map[string]*flow[T]
	order order[T]
	free  []*flow[T]
	now   int64 // start of the item that came out last
	last  uint64
	n     int
}

// flow is what the queue holds of one name. It always holds something.
type flow[T comparable] struct {
	name  string
	items []item[T]
	start int64  // of its first item
	came  uint64 // decides between equal starts
	place int    // in the order
}

type item[T comparable] struct {
	value T
	cost  int64
}

// freeMost bounds the empty flows that are kept for use again.
const freeMost = 64

// Add puts an item in. A cost is at least 1.
func (q *Queue[T]) Add(name string, value T, cost int64) {
	f := q.flows[name]
	if f == nil {
		if n := len(q.free); n > 0 {
			f, q.free = q.free[n-1], q.free[:n-1]
		} else {
			f = new(flow[T])
		}
		if q.flows == nil {
			q.flows = make(map[string]*flow[T])
		}
		q.last++
		f.name, f.start, f.came = name, q.now, q.last
		q.flows[name] = f
		f.items = append(f.items, item[T]{value, max(1, cost)})
		heap.Push(&q.order, f)
	} else {
		f.items = append(f.items, item[T]{value, max(1, cost)})
	}
	q.n++
}

// Len returns how many items the queue holds.
func (q *Queue[T]) Len() int { return q.n }

// LenOf returns how many of them are of a name.
func (q *Queue[T]) LenOf(name string) int {
	if f := q.flows[name]; f != nil {
		return len(f.items)
	}
	return 0
}

// First returns the item that is next, and leaves it there.
func (q *Queue[T]) First() (value T, ok bool) {
	if q.n == 0 {
		return value, false
	}
	return q.order[0].items[0].value, true
}

// Take takes the item out that is next.
func (q *Queue[T]) Take() (value T, ok bool) {
	if q.n == 0 {
		return value, false
	}
	f := q.order[0]
	value = f.items[0].value
	q.now = f.start
	q.drop(f, 0)
	return value, true
}

// Remove takes an item out before its turn. It returns false if it is not there.
func (q *Queue[T]) Remove(name string, value T) bool {
	f := q.flows[name]
	if f == nil {
		return false
	}
	for i := range f.items {
		if f.items[i].value == value {
			q.drop(f, i)
			return true
		}
	}
	return false
}

// drop takes the i-th item out of a flow. What is taken before its turn costs nothing.
func (q *Queue[T]) drop(f *flow[T], i int) {
	cost := f.items[i].cost
	copy(f.items[i:], f.items[i+1:])
	last := len(f.items) - 1
	f.items[last] = item[T]{}
	f.items = f.items[:last]
	q.n--
	switch {
	case last == 0:
		heap.Remove(&q.order, f.place)
		delete(q.flows, f.name)
		f.name = ""
		if len(q.free) < freeMost {
			q.free = append(q.free, f)
		}
	case i == 0 && q.now == f.start:
		f.start += cost
		heap.Fix(&q.order, f.place)
	}
}

// order is the heap of flows by whose turn is next.
type order[T comparable] []*flow[T]

func (o order[T]) Len() int { return len(o) }

func (o order[T]) Less(i, j int) bool {
	if o[i].start != o[j].start {
		return o[i].start < o[j].start
	}
	return o[i].came < o[j].came
}

func (o order[T]) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].place, o[j].place = i, j
}

func (o *order[T]) Push(x any) {
	f := x.(*flow[T]) //nolint:forcetypeassert // heap passes on what Add gave it
	f.place = len(*o)
	*o = append(*o, f)
}

func (o *order[T]) Pop() any {
	last := len(*o) - 1
	f := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return f
}
