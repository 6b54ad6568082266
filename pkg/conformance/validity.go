package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	inAnHour   = "qst-valid-until"
	longPast   = `"qst-valid-until":"2001-01-01T00:00:00Z"`
	farAway    = `"qst-valid-until":"2999-01-01T00:00:00Z"`
	validFor1s = `"qst-ttl":1`
)

func validity() []Case {
	dropped := about(Validity, "validity", "What is past its end is not given out, also not again, whoever asks: it is dropped, and counted.")
	dropped.add("past its end when it is pushed", func(t *exam) {
		path := t.channel()
		t.stored(t.do(t.a, "POST", path, `[{"id":"1","body":"x"},{"id":"2","body":"x",`+longPast+`},{"id":"3","body":"x",`+farAway+`}]`, typeJSON), "json", 3, 0)
		t.wantIDs(t.pull(t.b, path), "1 3")
	})
	dropped.add("given out before", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `[{"id":"1","body":"x",`+validFor1s+`},{"id":"2","body":"x"}]`)
		t.pull(t.b, path)
		t.until("the message is past its end", func() string {
			if ids := t.ids(t.pull(t.a, path)); ids != "2" {
				return ids
			}
			return ""
		})
		t.wantIDs(t.pull(t.b, path), "2")
	})
	dropped.add("to a poll that waits", func(t *exam) {
		path := t.channel()
		c := t.surelyHeld(t.a, path)
		t.push(t.b, path, `[{"id":"1","body":"x",`+longPast+`}]`)
		t.push(t.b, path, `[{"id":"2","body":"x"}]`)
		t.wantIDs(t.poll(c), "2")
	})

	said := about(Validity, "validity", "A message that has `qst-ttl`, or none of the two on a channel with a default for its direction, is given out with `qst-valid-until`.")
	said.add("its end is said", func(t *exam) {
		path := t.channel()
		before := time.Now()
		t.push(t.a, path, `{"id":"1","body":"x","qst-ttl":3600,"p":["a","b"]}`)
		m := t.messages(t.pull(t.b, path))
		if len(m) != 1 {
			t.fatalf("%d messages", len(m))
		}
		until, err := time.Parse(time.RFC3339, fmt.Sprint(m[0][inAnHour]))
		// The server's clock is its own.
		if err != nil || until.Sub(before) < 50*time.Minute || until.Sub(before) > 70*time.Minute {
			t.errorf("%s %v", inAnHour, m[0][inAnHour])
		}
	})
	both := about(Validity, "validity", "With both, `qst-valid-until` holds: a message that is passed on was given that before.")
	both.add("both properties", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `[{"id":"1","body":"x","qst-ttl":3600,`+longPast+`},{"id":"2","body":"x","qst-ttl":1,`+farAway+`}]`)
		m := t.messages(t.pull(t.b, path))
		if len(m) != 1 || m[0]["id"] != "2" || m[0][inAnHour] != "2999-01-01T00:00:00Z" {
			t.errorf("%v", m)
		}
	})
	refused := about(Validity, "validity/refused", "A value that is no such time or number, or more than one, is 400.")
	for _, property := range []string{
		`"qst-ttl":0`, `"qst-ttl":-5`, `"qst-ttl":1.5`, `"qst-ttl":"soon"`, `"qst-ttl":[1]`, `"qst-ttl":315360001`,
		`"qst-valid-until":"soon"`, `"qst-valid-until":1600000000`, `"qst-valid-until":["2999-01-01T00:00:00Z"]`,
	} {
		c := refused.add(property, func(t *exam) {
			path := t.channel()
			a := t.do(t.a, "POST", path, `[{"body":"x"},{"body":"x",`+property+`}]`, typeJSON)
			t.refused(a, only(http.StatusBadRequest), "message 2", strings.Trim(strings.Split(property, ":")[0], `"`))
			t.empty(t.b, path)
		})
		c.Sends, c.Accepts = property, "400"
	}
	return all(dropped, said, both, refused)
}
