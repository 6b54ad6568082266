package qst

import (
	"errors"
	"testing"
)

// A delivery report needs nothing but the id and the status, in both formats; what is no report
// is refused as ever.
func TestReport(t *testing.T) {
	t.Parallel()
	for _, status := range Statuses() {
		want := Report{Message: "o<1>", Status: status, Code: "id:7 stat:DELIVRD"}
		m := NewReport(want)
		for _, f := range []Format{JSON, XML} {
			msgs, err := Decode(f, "", Append(nil, f, []Message{m}), Limits{})
			if err != nil || len(msgs) != 1 {
				t.Fatalf("%s in %v: %v", status, f, err)
			}
			if got, ok := msgs[0].Report(); !ok || got != want {
				t.Errorf("%+v %v, want %+v", got, ok, want)
			}
		}
	}
	for _, body := range []string{
		`{"qst-message":"1","qst-status":"confirmed"}`, `{"qst-message":"1"}`, `{"qst-status":"sent"}`,
		`{"qst-message":"","qst-status":"sent"}`, `{"qst-message":["1"],"qst-status":"sent"}`, `{"qst-message":"1","qst-status":["sent","sent"]}`,
	} {
		if _, err := Decode(JSON, "", []byte(body), Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := Decode(JSON, "", []byte(`{"subject":"confirmed","qst-message":"1","qst-status":"confirmed"}`), Limits{}); err != nil {
		t.Error(err) // as version 1 reports it
	}
}
