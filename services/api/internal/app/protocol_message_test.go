package app_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var fieldNames = []string{"id", "from", "to", "when", "subject", "body"}

// message is a pulled message: fields by name, properties in order, a property's
// value as compact JSON (pulled as JSON) or as text (pulled as XML).
type message struct {
	fields map[string]string
	props  [][2]string
}

func isField(name string) bool {
	return slices.Contains(fieldNames, name)
}

// parseJSON reads a JSON batch with encoding/json, keeping the order of keys and
// the digits of numbers; an object with a key twice is an error.
func parseJSON(s string) ([]message, error) {
	var objects []json.RawMessage
	if err := json.Unmarshal([]byte(s), &objects); err != nil {
		return nil, err
	}
	list := []message{}
	for _, o := range objects {
		d := json.NewDecoder(strings.NewReader(string(o)))
		d.UseNumber()
		if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
			return nil, fmt.Errorf("%s is no object: %w", o, err)
		}
		m, seen := message{fields: map[string]string{}}, map[string]bool{}
		for d.More() {
			tok, err := d.Token()
			if err != nil {
				return nil, err
			}
			key := fmt.Sprint(tok) // a string, or the decoder had refused it
			if seen[key] {
				return nil, fmt.Errorf("key %q twice in %s", key, o)
			}
			seen[key] = true
			var v any
			if err := d.Decode(&v); err != nil {
				return nil, err
			}
			if isField(key) {
				text, ok := v.(string)
				if !ok {
					return nil, fmt.Errorf("field %q is %v", key, v)
				}
				m.fields[key] = text
				continue
			}
			b, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			m.props = append(m.props, [2]string{key, string(b)})
		}
		list = append(list, m)
	}
	return list, nil
}

// parseXML reads an XML batch with encoding/xml, and refuses what it lets through:
// attributes twice, raw white space in attributes (a parser makes it blanks), and
// whatever a batch does not have.
func parseXML(s string) ([]message, error) {
	for _, tag := range regexp.MustCompile(`<[a-z][^>]*>`).FindAllString(s, -1) {
		if strings.ContainsAny(strings.Join(regexp.MustCompile(`"[^"]*"|'[^']*'`).FindAllString(tag, -1), ""), "\t\n\r") {
			return nil, fmt.Errorf("raw white space in an attribute: %q", tag)
		}
	}
	list, path := []message{}, ""
	roots := 0
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if roots != 1 {
				return nil, fmt.Errorf("%d roots", roots)
			}
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			path += "/" + tok.Name.Local
			attr := map[string]string{}
			for _, a := range tok.Attr {
				if _, twice := attr[a.Name.Local]; twice || a.Name.Space != "" {
					return nil, fmt.Errorf("attribute %v in %v", a, tok)
				}
				attr[a.Name.Local] = a.Value
			}
			switch path {
			case "/messages":
				roots++
			case "/messages/message":
				list = append(list, message{fields: attr})
				for name := range attr {
					if name == "subject" || name == "body" || !isField(name) {
						return nil, fmt.Errorf("attribute %q", name)
					}
				}
			case "/messages/message/subject", "/messages/message/body":
				m := list[len(list)-1]
				if _, twice := m.fields[tok.Name.Local]; twice || len(attr) > 0 {
					return nil, fmt.Errorf("<%s> twice or with attributes", tok.Name.Local)
				}
				m.fields[tok.Name.Local] = ""
			case "/messages/message/property":
				name, ok1 := attr["name"]
				value, ok2 := attr["value"]
				if !ok1 || !ok2 || len(attr) != 2 {
					return nil, fmt.Errorf("property %v", tok)
				}
				m := &list[len(list)-1]
				m.props = append(m.props, [2]string{name, value})
			default:
				return nil, fmt.Errorf("element %s", path)
			}
		case xml.EndElement:
			path = path[:strings.LastIndex(path, "/")]
		case xml.CharData:
			if name, ok := strings.CutPrefix(path, "/messages/message/"); ok && name != "property" {
				list[len(list)-1].fields[name] += string(tok)
			} else if strings.TrimSpace(string(tok)) != "" {
				return nil, fmt.Errorf("text %q in %s", tok, path)
			}
		}
	}
}

// inXML is how a message pulled as JSON has to look pulled as XML.
func (m message) inXML() message {
	carry := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
				return 0xfffd
			}
			return r
		}, s)
	}
	x := message{fields: map[string]string{}}
	for k, v := range m.fields {
		x.fields[k] = carry(v)
	}
	for _, p := range m.props {
		var l []json.RawMessage
		if json.Unmarshal([]byte(p[1]), &l) != nil {
			l = []json.RawMessage{json.RawMessage(p[1])}
		}
		for _, v := range l {
			text := string(v)
			_ = json.Unmarshal(v, &text)
			x.props = append(x.props, [2]string{carry(p[0]), carry(text)})
		}
	}
	return x
}

var uuid7 = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// same compares a batch with the wanted one; an id or when that is not in want is
// the server's.
func same(t testing.TB, want, got []message) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d messages, want %d: %q", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		for _, f := range fieldNames {
			wv, wok := w.fields[f]
			gv, gok := g.fields[f]
			switch {
			case f == "id" && !wok:
				if !uuid7.MatchString(gv) {
					t.Errorf("message %d: id %q is no UUID of version 7", i+1, gv)
				}
			case f == "when" && !wok:
				when, err := time.Parse(time.RFC3339Nano, gv)
				if age := time.Since(when).Abs(); err != nil || !strings.HasSuffix(gv, "Z") || age > 10*time.Minute {
					t.Errorf("message %d: when %q is not the time of receipt: %v", i+1, gv, err)
				}
			case wv != gv || wok != gok:
				t.Errorf("message %d: %s %q (%v), want %q (%v)", i+1, f, gv, gok, wv, wok)
			}
		}
		if len(w.props)+len(g.props) > 0 && !reflect.DeepEqual(w.props, g.props) {
			t.Errorf("message %d: properties %q, want %q", i+1, g.props, w.props)
		}
	}
}

// trip is a batch that goes in, and the batch that has to come out, as JSON.
type trip struct{ name, header, body, want string }

// run pushes to one replica and pulls from both, in both formats.
func (c trip) run(t *testing.T, a, b *replica) {
	path := newChannel()
	format := "json"
	if strings.Contains(c.header, "xml") {
		format = "xml"
	}
	want, err := parseJSON(c.want)
	if err != nil {
		t.Fatalf("the case: %v", err)
	}
	stored(t, do(t, "POST", a.URL+path, c.body, c.header), format, len(want), 0)
	asWanted(t, a, b, path, want)
}

func asWanted(t testing.TB, a, b *replica, path string, want []message) {
	t.Helper()
	j := pull(t, b, path)
	mediaType(t, j, "application/json")
	got, err := parseJSON(j.Body)
	if err != nil {
		t.Fatalf("pulled JSON %s: %v", j.Body, err)
	}
	same(t, want, got)
	x := do(t, "GET", a.URL+path+"?format=xml", "")
	if x.Status != http.StatusOK {
		t.Fatalf("pull: %d %s", x.Status, x.Body)
	}
	mediaType(t, x, "text/xml")
	got, err = parseXML(x.Body)
	if err != nil {
		t.Fatalf("pulled XML %s: %v", x.Body, err)
	}
	inXML := make([]message, len(want))
	for i, m := range want {
		inXML[i] = m.inXML()
	}
	same(t, inXML, got)
}

func runTrips(t *testing.T, a, b *replica, cases []trip) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, a, b) })
	}
}

// refusal is a push that is refused, and leaves nothing.
type refusal struct {
	name, header, body string
	statuses           []int
	details            []string
}

func (c refusal) run(t *testing.T, a, b *replica) {
	path := newChannel()
	var header []string
	if c.header != "" {
		header = strings.Split(c.header, "\n")
	}
	refused(t, do(t, "POST", a.URL+path, c.body, header...), c.statuses, c.details...)
	empty(t, b, path)
}

func runRefusals(t *testing.T, a, b *replica, cases []refusal) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, a, b) })
	}
}
