package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// limitBodyTime bounds how long a request's body may take, whoever reads it: a handler,
// fail, or net/http, which wants the rest before it answers.
func (a *API) limitBodyTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body == nil || r.Body == http.NoBody {
			return next(c)
		}
		rc := http.NewResponseController(c.Response())
		_ = rc.SetReadDeadline(time.Now().Add(a.opts.RequestTimeout)) // only a test's recorder can't
		if r.Header.Get("Expect") != "" {
			// In a copy: net/http looks at its own request's body to see whether the client
			// waits for "100 Continue". It would wait for what such a client never sends.
			r = r.WithContext(r.Context())
			c.SetRequest(r)
		}
		r.Body = &deadlineBody{r.Body, rc}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			// Nobody wants it. But while it is on its way nothing tells of a client that
			// goes away, and a poll may be held for long.
			if err := discard(r); err != nil {
				return fmt.Errorf("%w: %w", errBodyCut, err)
			}
		}
		return next(c)
	}
}

// deadlineBody is a body that has a deadline.
type deadlineBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

// Read lifts the deadline at the body's end: it would end the server's watch for a
// client that goes away. (net/http sets its own for the connection's next request.)
func (b *deadlineBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// discardMost bounds what is read of a body that nobody wants.
const discardMost = 64 << 20

// discard reads what is left of a request's body. A client that is still sending
// when the connection closes may never see the answer, and would send what can
// never be taken again and again. An error says that the body is cut, or too slow:
// it has had its chance.
func discard(r *http.Request) error {
	if r.Body == nil || strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return nil // it waits for a word before it sends
	}
	_, err := io.Copy(io.Discard, io.LimitReader(r.Body, discardMost))
	if errors.Is(err, http.ErrBodyReadAfterClose) {
		return nil
	}
	return err
}
