package conformance_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// faults are what the naive server may do wrong, each with a case that is about it.
var faults = map[string]string{
	"every message is new":                             "again/same/the same",
	"an id is known, whatever the content":             "again/other/another body",
	"properties do not tell messages apart":            "again/other/another value",
	"what was confirmed is forgotten":                  "again/same/after it was confirmed",
	"a queue's memory is that of all":                  "again/same/in another queue",
	"messages without an id are compared":              "again/no id/JSON",
	"duplicates are told as accepted":                  "push/answer/JSON, none of one",
	"the good messages of a bad batch are stored":      "push/the last of a hundred is wrong",
	"the newest comes first":                           "order/within and between batches",
	"ordered by id":                                    "order/of ids and times that say otherwise",
	"given once":                                       "confirm/what was not comes again",
	"any ETag confirms all":                            "etag/foreign/garbage: words",
	"an ETag confirms what was not given":              "etag/altered/it takes nothing that was not delivered",
	"an ETag of another queue is a good one":           "etag/foreign/of another channel",
	"an old ETag counts again":                         "confirm/again",
	"an ETag confirms a whole answer or nothing":       "confirm/an earlier, smaller one",
	"polls are answered at once":                       "poll/held until a message arrives",
	"polls are held to their end":                      "poll/woken/by the mailbox, here",
	"polls do not know of each other":                  "poll/superseded/here",
	"an older poll is preferred to a younger":          "poll/superseded/with the same ETag",
	"a poll takes its messages when its client leaves": "poll/gone/a message that comes after",
	"gateway and application share a queue":            "urls/POST to the gateway",
}

// Each fault that is planted in the naive server fails the case that is about it; without
// one the same cases pass.
func TestNaiveServer(t *testing.T) {
	t.Parallel()
	byName := map[string]conformance.Case{}
	for _, c := range conformance.Cases() {
		byName[c.Name] = c
	}
	run := func(t *testing.T, fault, name string) conformance.Result {
		t.Helper()
		c, ok := byName[name]
		if !ok {
			t.Fatalf("there is no case %q", name)
		}
		s := httptest.NewServer(&naive{fault: fault, queues: map[string]*naiveQueue{}, known: map[string]bool{}})
		defer s.Close()
		return c.Run(t.Context(), conformance.Target{URL: s.URL, Second: s.URL, Patience: 5 * time.Second})
	}
	for fault, name := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			report(t, run(t, "", name))
			if r := run(t, fault, name); r.Verdict != conformance.Failed {
				t.Errorf("%q is not found by %q", fault, name)
			}
		})
	}
}
