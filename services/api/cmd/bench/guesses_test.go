package main

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
	"time"
)

// How well one limit of time tells one sort from another.
func TestTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		there, not []time.Duration
		want       float64
	}{
		"apart":             {[]time.Duration{1, 2, 3}, []time.Duration{4, 5, 6}, 1},
		"the other way":     {[]time.Duration{4, 5, 6}, []time.Duration{1, 2, 3}, 1},
		"one in four wrong": {[]time.Duration{1, 2, 3, 6}, []time.Duration{4, 5, 7, 8}, .875},
	} {
		if got := told(c.there, c.not); got != c.want {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

// What an assault sends is a request with the credential that it is to have.
func TestAssaultsAreRequests(t *testing.T) {
	t.Parallel()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(authorized(1, post("/x", []byte("{}"))))))
	if err != nil {
		t.Fatal(err)
	}
	if user, secret, ok := r.BasicAuth(); !ok || user != "locked-1" || secret != lockedSecret {
		t.Errorf("%q %q", user, secret)
	}
	r, err = http.ReadRequest(bufio.NewReader(bytes.NewReader(guessAt("there", "wrong", "10.1.2.3"))))
	if err != nil {
		t.Fatal(err)
	}
	if _, secret, _ := r.BasicAuth(); secret != "wrong" || r.Header.Get("X-Forwarded-For") != "10.1.2.3" {
		t.Errorf("%v", r.Header)
	}
}
