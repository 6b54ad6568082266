package app_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	typeJSON = "Content-Type: application/json"
	typeXML  = "Content-Type: text/xml"
)

var channels atomic.Int64

// newChannel is the URL path of a channel that no other case uses.
func newChannel() string { return fmt.Sprintf("/v2/channels/p%d", channels.Add(1)) }

// raw sends a request as it is written, "\n" for CR LF, and reads the answer.
func raw(t testing.TB, r *replica, request string) answer {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head, body, _ := strings.Cut(request, "\n\n")
	fmt.Fprintf(c, "%s\r\n\r\n%s", strings.ReplaceAll(head, "\n", "\r\n"), body)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: b.String(), Close: resp.Close}
}

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// stored checks a push's answer: 200, in the given format ("json", "xml"), with
// these numbers, and without an ETag.
func stored(t testing.TB, a answer, format string, accepted, duplicates int) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("push: %d %s, want 200", a.Status, a.Body)
	}
	if _, ok := a.Header["Etag"]; ok {
		t.Errorf("a push answered with an ETag: %v", a.Header)
	}
	var got struct {
		XMLName    xml.Name `json:"-"`
		Accepted   *int     `json:"accepted" xml:"accepted,attr"`
		Duplicates *int     `json:"duplicates" xml:"duplicates,attr"`
	}
	types := []string{"application/json"}
	var err error
	if format == "xml" {
		types = []string{"text/xml", "application/xml"}
		if err = xml.Unmarshal([]byte(a.Body), &got); err == nil && got.XMLName.Local != "result" {
			t.Errorf("push: the root of %s is not <result>", a.Body)
		}
	} else {
		err = json.Unmarshal([]byte(a.Body), &got)
	}
	if err != nil || got.Accepted == nil || got.Duplicates == nil {
		t.Fatalf("push: answer %q, not %s: %v", a.Body, format, err)
	}
	if *got.Accepted != accepted || *got.Duplicates != duplicates {
		t.Errorf("push: accepted %d, duplicates %d, want %d and %d", *got.Accepted, *got.Duplicates, accepted, duplicates)
	}
	mediaType(t, a, types...)
}

func mediaType(t testing.TB, a answer, want ...string) {
	t.Helper()
	got, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	for _, w := range want {
		if err == nil && got == w {
			return
		}
	}
	t.Errorf("Content-Type %q, want one of %q", a.Header.Get("Content-Type"), want)
}

var inside = regexp.MustCompile(`(?i)redis|miniredis|\blua\b|goroutine|panic|\.go:|json: |xml: |strconv|Go (struct|value)|map\[|0x[0-9a-f]{6}|runtime|127\.0\.0\.1|moved \d|crossslot|qst:`)

// refused checks an answer of problem details: the status (one of several), the
// form RFC 9457 gives it, and what the detail must hold.
func refused(t testing.TB, a answer, statuses []int, details ...string) {
	t.Helper()
	ok := false
	for _, s := range statuses {
		ok = ok || a.Status == s
	}
	if !ok {
		t.Fatalf("%d %s, want %v", a.Status, a.Body, statuses)
	}
	mediaType(t, a, "application/problem+json")
	if _, ok := a.Header["Etag"]; ok {
		t.Errorf("an error with an ETag: %v", a.Header)
	}
	var p struct {
		Status int
		Detail string
	}
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil {
		t.Fatalf("problem details %q: %v", a.Body, err)
	}
	if p.Status != a.Status {
		t.Errorf("problem details of a %d say status %d: %s", a.Status, p.Status, a.Body)
	}
	if strings.TrimSpace(p.Detail) == "" {
		t.Errorf("problem details without a detail: %s", a.Body)
	}
	for _, d := range details {
		if !strings.Contains(p.Detail, d) {
			t.Errorf("detail %q does not say %q", p.Detail, d)
		}
	}
	if m := inside.FindString(a.Body); m != "" {
		t.Errorf("the answer shows the inside (%q): %s", m, a.Body)
	}
}

func only(status int) []int { return []int{status} }

// empty checks that a queue has no message.
func empty(t testing.TB, r *replica, path string) {
	t.Helper()
	if a := pull(t, r, path); len(a.messages(t)) != 0 {
		t.Errorf("the queue holds %s", a.Body)
	}
}

// confirmed checks QST-Confirmed.
func confirmed(t testing.TB, a answer, want int) {
	t.Helper()
	if got := a.Header.Get("QST-Confirmed"); got != strconv.Itoa(want) {
		t.Errorf("QST-Confirmed %q, want %d", got, want)
	}
}

// tagged checks that an answer has a quoted ETag, and returns it.
func tagged(t testing.TB, a answer) string {
	t.Helper()
	e := a.Header.Get("ETag")
	if !regexp.MustCompile(`^"[\x21\x23-\x7e]+"$`).MatchString(e) {
		t.Fatalf("ETag %q of %q", e, a.Body)
	}
	return e
}

// untagged checks that it has none.
func untagged(t testing.TB, a answer) {
	t.Helper()
	if e, ok := a.Header["Etag"]; ok {
		t.Errorf("an ETag %q on %q", e, a.Body)
	}
}

// numbered is a JSON batch of messages with the ids first to last.
func numbered(first, last int) string {
	var l []string
	for i := first; i <= last; i++ {
		l = append(l, fmt.Sprintf(`{"id":"%d","body":"x"}`, i))
	}
	return "[" + strings.Join(l, ",") + "]"
}

// span is what ids gives of such a batch.
func span(first, last int) string {
	var l []string
	for i := first; i <= last; i++ {
		l = append(l, strconv.Itoa(i))
	}
	return strings.Join(l, " ")
}

func wantIDs(t testing.TB, a answer, want string) {
	t.Helper()
	if got := ids(t, a); got != want {
		t.Errorf("messages %q, want %q", got, want)
	}
}
