package main

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// nothingThere is how the service's detail begins for a URL that it does not know.
const nothingThere = "there is nothing at this URL"

// adminError is an answer of the admin API that is none of success.
type adminError struct {
	status  int
	problem bool   // in QST's words
	text    string // for people
}

func (e *adminError) Error() string { return e.text }

// newAdminError makes an error of an answer, and says what to do where that is known.
func newAdminError(base string, resp *http.Response, body []byte) *adminError {
	e := &adminError{status: resp.StatusCode}
	status := fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
	var p struct {
		Detail string `json:"detail"`
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	e.problem = media == "application/problem+json" && json.Unmarshal(body, &p) == nil && p.Detail != ""
	location := resp.Header.Get("Location")
	switch {
	case e.status == http.StatusNotFound && (!e.problem || strings.HasPrefix(p.Detail, nothingThere)):
		e.problem = false
		e.text = fmt.Sprintf("there is no admin API at %s (%s): it is on the service's internal listener (QST_ADMIN_ADDR), and off while the service has no QST_ADMIN_TOKEN", base, status)
	case !e.problem && location != "":
		e.text = fmt.Sprintf("something that is not QST answers at %s: %s, to %s", base, status, location)
	case !e.problem:
		e.text = fmt.Sprintf("something that is not QST answers at %s: %s", base, status)
	case e.status == http.StatusUnauthorized:
		e.text = fmt.Sprintf("%s (%s): QSTC_ADMIN_TOKEN, --token-file or the profile must have the same", p.Detail, status)
	default:
		e.text = fmt.Sprintf("%s (%s)", p.Detail, status)
	}
	if after := resp.Header.Get("Retry-After"); after != "" && e.status >= http.StatusInternalServerError {
		e.text += fmt.Sprintf("; try again in %s seconds", after)
	}
	return e
}

// exit returns the exit code.
func (e *adminError) exit() int {
	switch {
	case e.status >= http.StatusInternalServerError, e.status == http.StatusTooManyRequests:
		return exitFailed
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden, !e.problem:
		return exitStopped
	case e.status == http.StatusConflict, e.status == http.StatusPreconditionFailed:
		return exitConflict
	default:
		return exitRefused
	}
}
