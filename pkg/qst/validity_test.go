package qst

import (
	"errors"
	"testing"
	"time"
)

func TestValidity(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	for body, want := range map[string]struct {
		until time.Time
		ttl   time.Duration
	}{
		`{"body":"b"}`: {},
		`{"body":"b","qst-valid-until":"2026-11-23T10:30:00+01:00"}`:                 {until: until},
		`{"body":"b","qst-ttl":90}`:                                                  {ttl: 90 * time.Second},
		`{"body":"b","qst-ttl":"315360000"}`:                                         {ttl: 87600 * time.Hour},
		`{"body":"b","qst-ttl":90,"qst-valid-until":"2026-11-23T09:30:00Z"}`:         {until: until},
		`{"body":"b","qst-valid-until":"2026-11-23T09:30:00Z","qst-ttl":1,"x":"2y"}`: {until: until},
	} {
		msgs, err := Decode(JSON, "", []byte(body), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got, ttl, err := msgs[0].Validity(); err != nil || !got.Equal(want.until) || ttl != want.ttl {
			t.Errorf("%s: %v %v %v", body, got, ttl, err)
		}
	}
	for _, body := range []string{
		`{"body":"b","qst-valid-until":"tomorrow"}`, `{"body":"b","qst-valid-until":1795428600}`, `{"body":"b","qst-valid-until":["2026-11-23T09:30:00Z"]}`,
		`{"body":"b","qst-ttl":0}`, `{"body":"b","qst-ttl":-1}`, `{"body":"b","qst-ttl":1.5}`, `{"body":"b","qst-ttl":315360001}`,
		`{"body":"b","qst-ttl":"1m"}`, `{"body":"b","qst-ttl":true}`, `{"body":"b","qst-ttl":[1]}`, `{"body":"b","qst-ttl":[]}`,
	} {
		msgs, err := Decode(JSON, "", []byte(body), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := msgs[0].Validity(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
	twice := Message{Properties: []Property{
		{Name: PropertyTTL, Values: []Value{{Text: "1"}}}, {Name: PropertyTTL, Values: []Value{{Text: "1"}}},
	}}
	if _, _, err := twice.Validity(); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}
