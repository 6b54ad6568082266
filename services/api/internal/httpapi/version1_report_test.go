package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

func TestReadReport(t *testing.T) {
	t.Parallel()
	read := func(body string) (states []string, batches int, err error) {
		err = readReport([]byte(body), 3, func(b []queue.State) error {
			batches++
			if len(b) > 3 {
				t.Errorf("%d at a time", len(b))
			}
			for _, s := range b {
				states = append(states, s.State+" "+s.Message)
			}
			return nil
		})
		return states, batches, err
	}
	for body, want := range map[string]string{
		"":                                      "",
		" \n":                                   "",
		"{}":                                    "",
		"null":                                  "",
		`{"confirmed":null,"failed":[]}`:        "",
		`{"Confirmed":["1"],"FAILED":["2"]}`:    "confirmed 1,failed 2",
		`{"failed":["2"],"confirmed":["1"]}`:    "failed 2,confirmed 1",
		`{"x":[{"y":1}],"confirmed":["a","b"]}`: "confirmed a,confirmed b",
	} {
		states, _, err := read(body)
		if err != nil || strings.Join(states, ",") != want {
			t.Errorf("%s: %q, %v", body, states, err)
		}
	}
	// Nothing is handed over of what is malformed anywhere.
	for _, body := range []string{
		`[]`, `1`, `"x"`, `{"confirmed":["1"`, `{"confirmed":["1","2","3","4"]} x`, `{"confirmed":{}}`, `{"confirmed":"1"}`,
		`{"confirmed":["1","2","3","4",5]}`, `{"confirmed":["1","2","3","4"],"failed":[["x"]]}`, `{"confirmed":[true]}`,
	} {
		if states, _, err := read(body); !errors.Is(err, error(errReport)) || len(states) > 0 {
			t.Errorf("%s: %q, %v", body, states, err)
		}
	}
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("confirmed %d", i))
	}
	states, batches, err := read(`{"confirmed":["` + strings.ReplaceAll(strings.Join(ids, `","`), "confirmed ", "") + `"]}`)
	if err != nil || batches != 334 || !slices.Equal(states, ids) {
		t.Errorf("%d in %d batches, %v", len(states), batches, err)
	}
	full := errors.New("full")
	if err := readReport([]byte(`{"confirmed":["1"]}`), 3, func([]queue.State) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
}

// FuzzReport holds the reader of reports to what the whole body says, read at once.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"confirmed":["1","2"],"failed":["3"]}`))
	f.Add([]byte(`{"confirmed":null}`))
	f.Add([]byte(`{"failed":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := 0
		err := readReport(body, 2, func(b []queue.State) error { n += len(b); return nil })
		if err != nil && n > 0 {
			t.Errorf("%d states of what is malformed", n)
		}
		if err == nil && n > len(body) {
			t.Errorf("%d states in %d bytes", n, len(body))
		}
	})
}
