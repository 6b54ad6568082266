package queue

import (
	"errors"
	"testing"
)

// One message is found by where it stands and by its sender's id, and is taken out only as it was seen.
func TestCancel(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	mustPush(t, s, batch(10, "1", "2", "3", "4"))
	mustPull(t, s, Request{Max: 2})
	find := func(id string) Message {
		t.Helper()
		m, err := s.Find(t.Context(), inbox, id)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	two, three := find("2"), find("3")
	if by := find(two.ID); by.ID != two.ID || two.Deliveries != 1 || three.Deliveries != 0 {
		t.Errorf("%+v %+v %+v", by, two, three)
	}
	for id, want := range map[string]error{"5": ErrNotFound, "1-1": ErrNotFound} {
		if _, err := s.Find(t.Context(), inbox, id); !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := s.Cancel(t.Context(), inbox, two.ID, "0"); !errors.Is(err, ErrStale) {
		t.Errorf("delivered meanwhile: %v", err)
	}
	for _, m := range []Message{three, two} {
		if err := s.Cancel(t.Context(), inbox, m.ID, whole(int(m.Deliveries))); err != nil {
			t.Error(err)
		}
	}
	if err := s.Cancel(t.Context(), inbox, two.ID, "*"); !errors.Is(err, ErrNotFound) {
		t.Errorf("gone: %v", err)
	}
	if n, bytes, byMeta := held(t, s, c); n != 2 || bytes != byMeta {
		t.Errorf("%d messages, %d bytes by the stream, %d by its meta", n, bytes, byMeta)
	}
	ids, d := mustPull(t, s, Request{})
	if ids != "1 4" {
		t.Errorf("pulled %q", ids)
	}
	mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	if n, bytes, byMeta := held(t, s, c); n != 0 || bytes != byMeta {
		t.Errorf("%d messages, %d bytes by the stream, %d by its meta", n, bytes, byMeta)
	}
}
