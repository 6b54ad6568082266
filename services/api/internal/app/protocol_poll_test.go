package app_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// atOnce receives an answer that must not wait for the end of a long poll (50 s).
func atOnce(t testing.TB, c <-chan answer) answer {
	t.Helper()
	select {
	case a := <-c:
		if a.Status != http.StatusOK {
			t.Fatalf("poll: %d %s", a.Status, a.Body)
		}
		return a
	case <-time.After(30 * time.Second):
		t.Fatal("no answer at once")
		return answer{}
	}
}

func testLongPolling(t *testing.T, a, b *replica) {
	queues := map[string]string{"/gateway": "/application", "/application": "/gateway", "": ""}
	for in, out := range queues {
		for name, r := range map[string]*replica{"here": a, "there": b} {
			t.Run("woken "+name+" by "+in, func(t *testing.T) {
				path := newChannel()
				poll := longPoll(t, a, path+out)
				push(t, r, path+in, numbered(1, 3))
				got := atOnce(t, poll)
				wantIDs(t, got, "1 2 3")
				tagged(t, got)
				poll = longPoll(t, b, path+out, etag(got))
				for other := range queues { // nothing of theirs comes
					if other != in {
						push(t, a, path+other, numbered(90, 91))
					}
				}
				stored(t, do(t, "POST", a.URL+path+in, numbered(1, 3), typeJSON), "json", 0, 3)
				push(t, a, path+in, `[]`)
				push(t, r, path+in, numbered(4, 4))
				got = atOnce(t, poll)
				confirmed(t, got, 3)
				wantIDs(t, got, "4")
				if got.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("Cache-Control %q", got.Header["Cache-Control"])
				}
			})
		}
	}
	t.Run("messages that are there", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 5))
		got := atOnce(t, longPoll(t, b, path, "max=2"))
		wantIDs(t, got, "1 2")
		wantIDs(t, atOnce(t, longPoll(t, b, path, "max=2")), "1 2") // unconfirmed
		got = atOnce(t, longPoll(t, a, path, "max=2", etag(got)))
		confirmed(t, got, 2)
		wantIDs(t, got, "3 4")
	})
	t.Run("XML", func(t *testing.T) {
		path, c := newChannel(), make(chan answer, 1)
		go func() {
			got, _ := try(context.WithoutCancel(t.Context()), http.DefaultClient, "GET", b.URL+path+"?long-polling=true", "")
			c <- got
		}()
		push(t, a, path, numbered(1, 2))
		got := atOnce(t, c)
		mediaType(t, got, "text/xml")
		if l, err := parseXML(got.Body); err != nil || len(l) != 2 {
			t.Errorf("%q: %v", got.Body, err)
		}
	})
	t.Run("If-None-Match", func(t *testing.T) {
		path, c := newChannel(), make(chan answer, 1)
		push(t, a, path, numbered(1, 2))
		e := tagged(t, pull(t, a, path))
		go func() {
			got, _ := try(context.WithoutCancel(t.Context()), http.DefaultClient, "GET", b.URL+path+"?long-polling=true&format=json", "", "If-None-Match: W/"+e)
			c <- got
		}()
		push(t, a, path, numbered(3, 3))
		got := atOnce(t, c)
		confirmed(t, got, 2)
		wantIDs(t, got, "3")
	})
	t.Run("the wait is over", func(t *testing.T) {
		path := newChannel()
		got := atOnce(t, longPoll(t, a, path, "wait=1"))
		wantIDs(t, got, "")
		untagged(t, got)
		push(t, a, path, numbered(1, 2))
		old := pull(t, b, path)
		got = atOnce(t, longPoll(t, a, path, "wait=1", etag(old)))
		wantIDs(t, got, "")
		confirmed(t, got, 2)
		if tagged(t, got) != tagged(t, old) {
			t.Errorf("ETag %s, want %s", tagged(t, got), tagged(t, old))
		}
		got = atOnce(t, longPoll(t, b, path, "wait=1", etag(got)))
		wantIDs(t, got, "")
		confirmed(t, got, 0)
		got = atOnce(t, longPoll(t, b, path, "wait=1", "etag=garbage"))
		wantIDs(t, got, "")
		confirmed(t, got, 0)
		untagged(t, got)
	})
	t.Run("the ETag is confirmed before it is held", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 2))
		poll := longPoll(t, a, path, etag(pull(t, b, path)))
		eventually(t, "the messages are gone", func() error {
			if got := pull(t, b, path); got.Body != "[]" {
				return http.ErrNoLocation
			}
			return nil
		})
		push(t, b, path, numbered(3, 3))
		got := atOnce(t, poll)
		confirmed(t, got, 2)
		if got := pull(t, b, path); ids(t, got) != "3" {
			t.Errorf("then %s", got.Body)
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		for _, query := range []string{"", "long-polling=false", "wait=50", "long-polling=false&wait=50"} {
			c, path := make(chan answer, 1), newChannel()
			go func() {
				got, _ := try(context.WithoutCancel(t.Context()), http.DefaultClient, "GET", a.URL+path+"?format=json&"+query, "")
				c <- got
			}()
			wantIDs(t, atOnce(t, c), "")
		}
	})
	t.Run("a bad request is not held", func(t *testing.T) {
		for _, query := range []string{"max=x", "wait=x", "format=yaml", "wait=-1"} {
			refused(t, do(t, "GET", a.URL+newChannel()+"?long-polling=true&"+query, ""), only(400))
		}
	})
}

// Of two polls of a queue one goes on, the other is answered, empty.
func testSuperseding(t *testing.T, a, b *replica) {
	for name, other := range map[string]*replica{"here": a, "there": b} {
		t.Run(name, func(t *testing.T) {
			path := newChannel()
			polls := []<-chan answer{longPoll(t, a, path), longPoll(t, other, path)}
			var rest <-chan answer
			select {
			case got := <-polls[0]:
				wantIDs(t, got, "")
				rest = polls[1]
			case got := <-polls[1]:
				wantIDs(t, got, "")
				rest = polls[0]
			case <-time.After(30 * time.Second):
				t.Fatal("both polls hang")
			}
			push(t, b, path, numbered(1, 2))
			wantIDs(t, atOnce(t, rest), "1 2")
		})
	}
	t.Run("many", func(t *testing.T) {
		path, c := newChannel(), make(chan answer)
		for i := range 8 {
			poll := longPoll(t, []*replica{a, b}[i%2], path)
			go func() { c <- <-poll }()
		}
		for range 7 {
			wantIDs(t, atOnce(t, c), "")
		}
		push(t, a, path, numbered(1, 2))
		wantIDs(t, atOnce(t, c), "1 2")
	})
	t.Run("with the ETag of an earlier answer", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 2))
		e := pull(t, b, path)
		c := make(chan answer)
		for _, r := range []*replica{a, b} {
			poll := longPoll(t, r, path, etag(e))
			go func() { c <- <-poll }()
		}
		got := atOnce(t, c)
		wantIDs(t, got, "")
		if tagged(t, got) != tagged(t, e) {
			t.Errorf("the older poll is answered with the ETag %s, want %s", tagged(t, got), tagged(t, e))
		}
		n := got.Header.Get("QST-Confirmed")
		push(t, a, path, numbered(3, 3))
		got = atOnce(t, c)
		wantIDs(t, got, "3")
		if m := got.Header.Get("QST-Confirmed"); n+m != "02" && n+m != "20" {
			t.Errorf("the two confirmed %s and %s", n, m)
		}
	})
	t.Run("other queues do not", func(t *testing.T) {
		path := newChannel()
		polls := map[string]<-chan answer{}
		for _, end := range []string{"", "/gateway", "/application"} {
			polls[end] = longPoll(t, a, path+end)
		}
		push(t, b, path, numbered(1, 1))
		push(t, b, path+"/application", numbered(2, 2))
		push(t, b, path+"/gateway", numbered(3, 3))
		wantIDs(t, atOnce(t, polls[""]), "1")
		wantIDs(t, atOnce(t, polls["/gateway"]), "2")
		wantIDs(t, atOnce(t, polls["/application"]), "3")
	})
}

// A poll whose client is gone takes nothing with it.
func testPollGone(t *testing.T, a, b *replica) {
	path := newChannel()
	for i := range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = try(ctx, http.DefaultClient, "GET", a.URL+path+"?long-polling=true", "")
		}()
		if i > 0 { // the first may be gone before it is held
			other := newChannel()
			push(t, b, other, numbered(1, 1))
			empty(t, b, path)
		}
		cancel()
		<-ended
	}
	poll := longPoll(t, b, path)
	push(t, a, path, numbered(1, 2))
	got := atOnce(t, poll)
	wantIDs(t, got, "1 2")
	got = pull(t, a, path, "etag="+url.QueryEscape(tagged(t, got)))
	confirmed(t, got, 2)
	wantIDs(t, got, "")
}
