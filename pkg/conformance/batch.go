package conformance

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

var fieldNames = []string{"id", "from", "to", "when", "subject", "body"}

// message is a message as it is on the wire: fields by name, properties in order, a property's
// value as compact JSON (read as JSON) or as text (read as XML).
type message struct {
	fields map[string]string
	props  [][2]string
}

func isField(name string) bool { return slices.Contains(fieldNames, name) }

// parseJSON reads a JSON batch, keeping the order of keys and the digits of numbers. An
// object with a key twice is an error.
func parseJSON(s string) ([]message, error) {
	var objects []json.RawMessage
	if err := json.Unmarshal([]byte(s), &objects); err != nil {
		return nil, err
	}
	if objects == nil {
		return nil, errors.New("null is no batch")
	}
	list := []message{}
	for _, o := range objects {
		m, err := parseObject(o)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func parseObject(o json.RawMessage) (message, error) {
	d := json.NewDecoder(strings.NewReader(string(o)))
	d.UseNumber()
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return message{}, fmt.Errorf("%s is no object", o)
	}
	m, seen := message{fields: map[string]string{}}, map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return message{}, err
		}
		key := fmt.Sprint(tok) // a string, or the decoder had refused it
		if seen[key] {
			return message{}, fmt.Errorf("key %q twice in %s", key, o)
		}
		seen[key] = true
		var v any
		if err := d.Decode(&v); err != nil {
			return message{}, err
		}
		if isField(key) {
			text, ok := v.(string)
			if !ok {
				return message{}, fmt.Errorf("field %q is %v", key, v)
			}
			m.fields[key] = text
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return message{}, err
		}
		m.props = append(m.props, [2]string{key, string(b)})
	}
	return m, nil
}

var (
	xmlTag    = regexp.MustCompile(`<[a-z][^>]*>`)
	xmlQuoted = regexp.MustCompile(`"[^"]*"|'[^']*'`)
)

// parseXML reads an XML batch, and refuses what encoding/xml lets through: attributes
// twice, raw white space in attributes (a parser makes it blanks), and whatever a batch
// does not have.
func parseXML(s string) ([]message, error) {
	for _, tag := range xmlTag.FindAllString(s, -1) {
		if strings.ContainsAny(strings.Join(xmlQuoted.FindAllString(tag, -1), ""), "\t\n\r") {
			return nil, fmt.Errorf("raw white space in an attribute: %q", tag)
		}
	}
	p := xmlBatch{list: []message{}}
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if p.roots != 1 {
				return nil, fmt.Errorf("%d roots", p.roots)
			}
			return p.list, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			err = p.start(tok)
		case xml.EndElement:
			p.path = p.path[:strings.LastIndex(p.path, "/")]
		case xml.CharData:
			err = p.text(string(tok))
		}
		if err != nil {
			return nil, err
		}
	}
}

type xmlBatch struct {
	list  []message
	path  string
	roots int
}

func (p *xmlBatch) start(tok xml.StartElement) error {
	p.path += "/" + tok.Name.Local
	attr := map[string]string{}
	for _, a := range tok.Attr {
		if _, twice := attr[a.Name.Local]; twice || a.Name.Space != "" {
			return fmt.Errorf("attribute %s in <%s>", a.Name.Local, tok.Name.Local)
		}
		attr[a.Name.Local] = a.Value
	}
	switch p.path {
	case "/messages":
		p.roots++
	case "/messages/message":
		p.list = append(p.list, message{fields: attr})
		for name := range attr {
			if name == "subject" || name == "body" || !isField(name) {
				return fmt.Errorf("attribute %q", name)
			}
		}
	case "/messages/message/subject", "/messages/message/body":
		m := p.list[len(p.list)-1]
		if _, twice := m.fields[tok.Name.Local]; twice || len(attr) > 0 {
			return fmt.Errorf("<%s> twice or with attributes", tok.Name.Local)
		}
		m.fields[tok.Name.Local] = ""
	case "/messages/message/property":
		name, ok1 := attr["name"]
		value, ok2 := attr["value"]
		if !ok1 || !ok2 || len(attr) != 2 {
			return fmt.Errorf("property with %v", attr)
		}
		m := &p.list[len(p.list)-1]
		m.props = append(m.props, [2]string{name, value})
	default:
		return fmt.Errorf("element %s", p.path)
	}
	return nil
}

func (p *xmlBatch) text(s string) error {
	if name, ok := strings.CutPrefix(p.path, "/messages/message/"); ok && name != "property" {
		p.list[len(p.list)-1].fields[name] += s
	} else if strings.TrimSpace(s) != "" {
		return fmt.Errorf("text %q in %s", s, p.path)
	}
	return nil
}

// inXML is how a message that was read as JSON has to look in XML.
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
			_ = json.Unmarshal(v, &text) // no string: its digits, or true or false
			x.props = append(x.props, [2]string{carry(p[0]), carry(text)})
		}
	}
	return x
}

var uuid7 = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// compare says what differs between a batch and the wanted one. An id or when that is not
// in want is the server's.
func compare(want, got []message) (wrong []string) {
	if len(want) != len(got) {
		return []string{fmt.Sprintf("%d messages, want %d: %q", len(got), len(want), got)}
	}
	errorf := func(i int, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("message %d: ", i+1)+fmt.Sprintf(format, args...))
	}
	for i, w := range want {
		g := got[i]
		for _, f := range fieldNames {
			wv, wok := w.fields[f]
			gv, gok := g.fields[f]
			switch {
			case f == "id" && !wok:
				if !uuid7.MatchString(gv) {
					errorf(i, "the id %q is no UUID of version 7", gv)
				}
			case f == "when" && !wok:
				// The two clocks may differ by much; what is no time, or in another zone, is wrong.
				if _, err := time.Parse(time.RFC3339Nano, gv); err != nil || !strings.HasSuffix(gv, "Z") {
					errorf(i, "when %q is not RFC 3339, UTC", gv)
				}
			case wv != gv || wok != gok:
				errorf(i, "%s %q (%v), want %q (%v)", f, gv, gok, wv, wok)
			}
		}
		if !slices.Equal(w.props, g.props) {
			errorf(i, "properties %q, want %q", g.props, w.props)
		}
	}
	return wrong
}
