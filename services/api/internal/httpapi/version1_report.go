package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

var errReport = problem{status: http.StatusBadRequest, detail: `the body is neither empty nor {"confirmed":[ids],"failed":[ids]}`}

// readReport reads what a POST outgoing says of messages, and hands the states over as it
// goes, at most so many at a time: a few bytes in the request are one, and there may be any
// number of them. What is malformed is found before anything is handed over.
func readReport(body []byte, most int, handle func([]queue.State) error) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !json.Valid(body) || scanReport(body, func(queue.State) error { return nil }) != nil {
		return errReport
	}
	batch := make([]queue.State, 0, 16)
	err := scanReport(body, func(s queue.State) error {
		if batch = append(batch, s); len(batch) < most {
			return nil
		}
		err := handle(batch)
		batch = batch[:0]
		return err
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return handle(batch)
}

// scanReport calls f for each state of a report that is valid JSON, in its order.
func scanReport(body []byte, f func(queue.State) error) error {
	d := json.NewDecoder(bytes.NewReader(body))
	switch t, err := d.Token(); {
	case err != nil:
		return errReport
	case t == nil: // null
		return nil
	case t != json.Delim('{'):
		return errReport
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return errReport
		}
		state := strings.ToLower(name.(string)) //nolint:forcetypeassert // a key
		if state != "confirmed" && state != "failed" {
			var other json.RawMessage
			if d.Decode(&other) != nil {
				return errReport
			}
			continue
		}
		switch t, err := d.Token(); {
		case err != nil:
			return errReport
		case t == nil:
			continue
		case t != json.Delim('['):
			return errReport
		}
		for d.More() {
			t, err := d.Token()
			if err != nil {
				return errReport
			}
			id, ok := t.(string)
			if !ok && t != nil {
				return errReport
			}
			if err := f(queue.State{Message: id, State: state}); err != nil {
				return err
			}
		}
		if _, err := d.Token(); err != nil {
			return errReport
		}
	}
	return nil
}
