package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// RejectedError says that the service will never take these messages: sending them
// again is of no use (status 400, 413 or 415).
type RejectedError struct {
	Status int
	Detail string // in the service's words; "" if it was not the service that answered

	// Index is where the messages are in what was pushed, counted from 0, and Count
	// how many they are: one, save for a 415, which is about how they were sent
	// rather than what they say. Both are 0 if a poll was refused.
	Index, Count int

	ID string // the message's, if it is one
}

func (e *RejectedError) Error() string {
	switch e.Count {
	case 0:
		return "refused: " + describe(e.Status, e.Detail)
	case 1:
		return fmt.Sprintf("message %d (ID %q) refused: %s", e.Index+1, e.ID, describe(e.Status, e.Detail))
	default:
		return fmt.Sprintf("messages %d to %d refused: %s", e.Index+1, e.Index+e.Count, describe(e.Status, e.Detail))
	}
}

// EndpointError says that this client must not go on as it is: its credentials are wrong
// or lack a right (status 401, 403), or nobody at this URL speaks QST (404, 405,
// a redirect, …). It is not about the messages; keep them.
type EndpointError struct {
	Status   int
	Detail   string // in the service's words; "" if it was not the service that answered
	Location string // where a redirect points
}

func (e *EndpointError) Error() string {
	text := "not accepted: " + describe(e.Status, e.Detail)
	if e.Location != "" {
		text += ": the endpoint seems to have moved to " + e.Location
	}
	return text
}

// UnavailableError says that it did not work this time, and may the next: the service
// could not be reached, was not able, or its answer did not arrive whole. What
// was sent may have arrived nevertheless.
type UnavailableError struct {
	Status     int           // 0: there was no answer, or only part of one
	Detail     string        // in the service's words
	RetryAfter time.Duration // what the service asks for; 0: nothing
	Err        error         // the reason, where it was not a status
}

func (e *UnavailableError) Error() string {
	if e.Err != nil {
		return "unavailable: " + e.Err.Error()
	}
	return "unavailable: " + describe(e.Status, e.Detail)
}

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrETag ends a pull whose messages can't be confirmed: their ETag does not come
// through to here, or not back to the service, because something in between takes it
// away. `qst doctor` may find out what.
var ErrETag = errors.New("the ETag does not survive the way between here and the service")

// What is wrong with an answer of status 200. An UnavailableError wraps them.
var (
	errCut     = errors.New("the answer did not arrive whole")
	errStrange = errors.New("the answer is not one of QST")
	errTimeout = errors.New("no answer in time")
)

func describe(status int, detail string) string {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if detail != "" {
		text += ": " + detail
	}
	return text
}

// statusError returns the error that a status other than 200 stands for.
func statusError(r *http.Response, body []byte) error {
	detail := problemDetail(r.Header, body)
	switch s := r.StatusCode; {
	case s == http.StatusBadRequest, s == http.StatusRequestEntityTooLarge, s == http.StatusUnsupportedMediaType:
		return &RejectedError{Status: s, Detail: detail}
	// The protocol knows none of these four, but proxies send them for what may pass.
	case s == http.StatusRequestTimeout, s == http.StatusMisdirectedRequest, s == http.StatusTooEarly, s == http.StatusTooManyRequests,
		s >= http.StatusInternalServerError:
		return &UnavailableError{Status: s, Detail: detail, RetryAfter: retryAfter(r.Header)}
	case s < http.StatusMultipleChoices: // 204, say
		return &UnavailableError{Status: s, Err: fmt.Errorf("%w: status %d", errStrange, s)}
	default:
		return &EndpointError{Status: s, Detail: detail, Location: r.Header.Get("Location")}
	}
}

// maxDetail bounds what is repeated of a detail; the service's are far shorter.
const maxDetail = 1 << 10

// problemDetail returns the detail of an RFC 9457 problem document, in one line
// without control characters, or "".
func problemDetail(h http.Header, body []byte) string {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || mediaType != "application/problem+json" {
		return ""
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, problem.Detail[:min(len(problem.Detail), maxDetail)])
}
