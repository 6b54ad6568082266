package conformance

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	typeJSON = "Content-Type: application/json"
	typeXML  = "Content-Type: text/xml"
	gzipBody = "Content-Encoding: gzip"

	oneJSON = `[{"id":"1","body":"x"}]`
	oneXML  = `<messages><message id="1"><body>x</body></message></messages>`
)

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // into memory
	_ = w.Close()
	return b.String()
}

// push pushes JSON and expects a 200.
func (t *exam) push(r replica, path, body string) {
	if a := t.do(r, "POST", path, body, typeJSON); a.Status != http.StatusOK {
		t.fatalf("push: %d %s", a.Status, a.Body)
	}
}

// pull pulls JSON and expects a 200; query is "name=value" each.
func (t *exam) pull(r replica, path string, query ...string) answer {
	a := t.do(r, "GET", path+"?"+strings.Join(append([]string{"format=json"}, query...), "&"), "")
	if a.Status != http.StatusOK {
		t.fatalf("pull: %d %s", a.Status, a.Body)
	}
	return a
}

// stored checks a push's answer: 200, in the given format ("json", "xml"), with
// these numbers, and without an ETag.
func (t *exam) stored(a answer, format string, accepted, duplicates int) {
	if a.Status != http.StatusOK {
		t.fatalf("push: %d %s, want 200", a.Status, a.Body)
	}
	if _, ok := a.Header["Etag"]; ok {
		t.errorf("a push is answered with an ETag: %s", a.Header.Get("ETag"))
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
			t.errorf("push: the root of %s is not <result>", a.Body)
		}
	} else {
		err = json.Unmarshal([]byte(a.Body), &got)
	}
	if err != nil || got.Accepted == nil || got.Duplicates == nil {
		t.fatalf("push: the answer is not %s with accepted and duplicates: %q", format, a.Body)
	}
	if *got.Accepted != accepted || *got.Duplicates != duplicates {
		t.errorf("push: accepted %d, duplicates %d, want %d and %d", *got.Accepted, *got.Duplicates, accepted, duplicates)
	}
	t.mediaType(a, types...)
}

func (t *exam) mediaType(a answer, want ...string) {
	got, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(want, got) {
		t.errorf("Content-Type %q, want one of %q", a.Header.Get("Content-Type"), want)
	}
}

// inside is what an answer has that tells of the server's inside.
var inside = regexp.MustCompile(`(?i)redis|postgres|mysql|sqlite|\blua\b|goroutine|panic|traceback|exception|\.(go|py|rb|js|java|php):\d|/usr/|json: |xml: |strconv|map\[|0x[0-9a-f]{6}|runtime|127\.0\.0\.1|moved \d|crossslot`)

// refused checks an answer of problem details: the status (one of several), the
// form RFC 9457 gives it, and what the detail must hold.
func (t *exam) refused(a answer, statuses []int, details ...string) {
	if !slices.Contains(statuses, a.Status) {
		t.fatalf("%d %s, want %v", a.Status, a.Body, statuses)
	}
	t.mediaType(a, "application/problem+json")
	if _, ok := a.Header["Etag"]; ok {
		t.errorf("an error has an ETag: %s", a.Header.Get("ETag"))
	}
	var p struct {
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil {
		t.fatalf("no problem details: %q", a.Body)
	}
	if p.Status != a.Status {
		t.errorf("the problem details of a %d say status %d: %s", a.Status, p.Status, a.Body)
	}
	if strings.TrimSpace(p.Detail) == "" {
		t.errorf("problem details without a detail: %s", a.Body)
	}
	for _, d := range details {
		if !strings.Contains(p.Detail, d) {
			t.errorf("the detail %q does not say %q", p.Detail, d)
		}
	}
	if m := inside.FindString(a.Body); m != "" {
		t.errorf("the answer tells of the inside (%q): %s", m, a.Body)
	}
}

func only(status int) []int { return []int{status} }

// messages decodes a pulled JSON batch.
func (t *exam) messages(a answer) []map[string]any {
	var l []map[string]any
	d := json.NewDecoder(strings.NewReader(a.Body))
	d.UseNumber()
	if err := d.Decode(&l); err != nil {
		t.fatalf("%d %q is no JSON batch: %v", a.Status, a.Body, err)
	}
	return l
}

// ids returns the ids of a pulled JSON batch, joined.
func (t *exam) ids(a answer) string {
	var l []string
	for _, m := range t.messages(a) {
		l = append(l, fmt.Sprint(m["id"]))
	}
	return strings.Join(l, " ")
}

func (t *exam) wantIDs(a answer, want string) {
	if got := t.ids(a); got != want {
		t.errorf("messages %q, want %q", got, want)
	}
}

// empty checks that a queue has no message.
func (t *exam) empty(r replica, path string) {
	if a := t.pull(r, path); len(t.messages(a)) != 0 {
		t.errorf("the queue of %s holds %s", path, a.Body)
	}
}

// confirmed checks QST-Confirmed.
func (t *exam) confirmed(a answer, want int) {
	if got := a.Header.Get("QST-Confirmed"); got != strconv.Itoa(want) {
		t.errorf("QST-Confirmed %q, want %d", got, want)
	}
}

var quotedETag = regexp.MustCompile(`^"[\x21\x23-\x7e]+"$`)

// tagged checks that an answer has a quoted ETag, and returns it.
func (t *exam) tagged(a answer) string {
	e := a.Header.Get("ETag")
	if !quotedETag.MatchString(e) {
		t.fatalf("the ETag %q of %q is not a quoted one", e, a.Body)
	}
	return e
}

// untagged checks that it has none.
func (t *exam) untagged(a answer) {
	if e, ok := a.Header["Etag"]; ok {
		t.errorf("the ETag %q on %q, which should have none", e, a.Body)
	}
}

// etag is an answer's ETag as a parameter.
func etag(a answer) string { return "etag=" + url.QueryEscape(a.Header.Get("ETag")) }

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

// bodyXML is an XML batch of one message with this in its body.
func bodyXML(inner string) string {
	return `<messages><message id="1"><body>` + inner + `</body></message></messages>`
}

// messageXML is an XML batch of one message with these attributes and elements.
func messageXML(attributes, elements string) string {
	return `<messages><message ` + attributes + `>` + elements + `</message></messages>`
}

func declared(charset, document string) string {
	return `<?xml version="1.0" encoding="` + charset + `"?>` + "\n" + document
}
