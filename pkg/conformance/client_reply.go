package conformance

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// reply is an answer, or that there is none.
type reply struct {
	status int
	header http.Header
	body   string
	none   bool
	cut    int
	ends   bool
}

func (a reply) note() string {
	switch {
	case a.none:
		return "no answer: the connection ends"
	case a.cut > 0:
		return fmt.Sprintf("%d, of which %d percent arrive: %s", a.status, a.cut, excerpt(a.body, 300))
	}
	return fmt.Sprintf("%d %s", a.status, strings.TrimSpace(headerLines(a.header)+"\n\n"+excerpt(a.body, 300)))
}

func (a reply) write(w http.ResponseWriter) {
	if a.none {
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.cut == 0 {
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
		return
	}
	part := a.body[:max(len(a.body)*a.cut/100, 1)]
	if !a.ends {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, part)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(buffered, "HTTP/1.0 %d OK\r\n", a.status)
	_ = a.header.Write(buffered)
	_, _ = fmt.Fprintf(buffered, "Connection: close\r\n\r\n%s", part)
	_ = buffered.Flush()
}

func problemReply(status int, detail string) reply {
	return reply{
		status: status, header: http.Header{"Content-Type": {"application/problem+json"}},
		body: fmt.Sprintf(`{"title":%q,"status":%d,"detail":%q}`, http.StatusText(status), status, detail),
	}
}
