package app_test

import (
	"testing"
)

// deadLetter makes a message a dead letter of an empty queue: a client can't bear it, and confirms two
// others that come after it. One delivery is all a message gets there.
func deadLetter(t *testing.T, r *replica, push, pull, message string, pusher, puller []string) {
	t.Helper()
	do(t, "POST", r.URL+push, "["+message+`,{"id":"proof 1","body":"x"},{"id":"proof 2","body":"x"}]`, append(pusher, "Content-Type: application/json")...)
	ask := func(query string) answer {
		return do(t, "GET", r.URL+pull+"?format=json&"+query, "", puller...)
	}
	ask("max=1")
	for _, want := range []string{"proof 1", "proof 2"} {
		proof := ask("")
		wantIDs(t, proof, want)
		confirmed(t, ask("max=0&"+etag(proof)), 1)
		if want == "proof 1" {
			ask("max=1") // the message again
		}
	}
}
