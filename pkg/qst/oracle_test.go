package qst

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// This file says a second time, with encoding/json and encoding/xml and
// without regard to speed, what the codecs do. The tests over random and fuzzed input
// compare the two.

// oracleJSON decodes a batch with encoding/json; ok is false if the batch is to be
// refused.
func oracleJSON(body []byte, l Limits) (msgs []Message, ok bool) {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	token := func() json.Token {
		t, err := d.Token()
		if err != nil {
			panic(err) // json.Valid said yes
		}
		return t
	}
	value := func(t json.Token) (Value, bool) {
		switch t := t.(type) {
		case string:
			return Value{String, t}, true
		case json.Number:
			return Value{Number, t.String()}, true
		case bool:
			return Value{Bool, fmt.Sprint(t)}, true
		}
		return Value{}, false
	}
	one := func() bool { // decodes a message after its {
		var m Message
		seen := make(map[string]bool)
		count := 0
		for d.More() {
			key, ok := token().(string)
			if !ok || seen[key] {
				return false
			}
			seen[key] = true
			t := token()
			if t == nil {
				continue
			}
			if i := fieldIndex(key); i >= 0 {
				s, ok := t.(string)
				if !ok {
					return false
				}
				if i == 0 && len(s) > l.MaxIDBytes {
					return false
				}
				*m.field(i) = s
				if s == "" {
					m.Present |= 1 << i
				}
				continue
			}
			p := Property{Name: key}
			if t == json.Delim('[') {
				p.Array = true
				for d.More() {
					v, ok := value(token())
					if !ok {
						return false
					}
					p.Values = append(p.Values, v)
				}
				token() // ]
			} else {
				v, ok := value(t)
				if !ok {
					return false
				}
				p.Values = []Value{v}
			}
			count += max(1, len(p.Values))
			if len(key) > l.MaxNameBytes || count > l.MaxProperties {
				return false
			}
			m.Properties = append(m.Properties, p)
		}
		token() // }
		msgs = append(msgs, m)
		return m.From+m.To+m.Subject+m.Body != "" &&
			len(m.AppendCanonical(nil)) <= l.MaxMessageBytes && len(msgs) <= l.MaxMessages
	}
	switch token() {
	case json.Delim('{'):
		ok = one()
	case json.Delim('['):
		ok = true
		for ok && d.More() {
			ok = token() == json.Delim('{') && one()
		}
	}
	if !ok {
		return nil, false
	}
	return msgs, true
}

// oracleXML decodes with encoding/xml a document in UTF-8 that Decode
// accepted.
func oracleXML(doc []byte) (msgs []Message, err error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var text *string
	for {
		t, err := d.RawToken() // Token would resolve namespaces, of which there are none
		if errors.Is(err, io.EOF) {
			return msgs, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			attr := make(map[string]string)
			for _, a := range t.Attr {
				attr[a.Name.Local] = a.Value
			}
			last := len(msgs) - 1
			switch t.Name.Local {
			case "message":
				m := Message{ID: attr["id"], From: attr["from"], To: attr["to"], When: attr["when"]}
				for name, value := range attr {
					if value == "" {
						m.Present |= 1 << fieldIndex(name)
					}
				}
				msgs = append(msgs, m)
			case "subject", "body":
				text = msgs[last].field(fieldIndex(t.Name.Local))
			case "property":
				msgs[last].Properties = append(msgs[last].Properties, str(attr["name"], attr["value"]))
			}
		case xml.CharData:
			if text != nil {
				*text += string(t)
			}
		case xml.EndElement:
			if text != nil && *text == "" {
				msgs[len(msgs)-1].Present |= 1 << fieldIndex(t.Name.Local)
			}
			text = nil
		}
	}
}

// xmlText is what XML makes of a text.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if !isXMLChar(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// viaXML is what remains of messages that were written and read as XML.
func viaXML(msgs []Message) []Message {
	var out []Message
	for _, m := range msgs {
		ps := m.Properties
		m.Properties = nil
		for i := range fieldNames {
			*m.field(i) = xmlText(*m.field(i))
		}
		for _, p := range ps {
			for _, v := range p.Values {
				m.Properties = append(m.Properties, str(xmlText(p.Name), xmlText(v.Text)))
			}
		}
		out = append(out, m)
	}
	return out
}

// viaJSON is what remains of messages that were written and read as JSON.
func viaJSON(msgs []Message) []Message {
	var out []Message
	for _, m := range msgs {
		ps := m.Properties
		m.Properties = nil
		places := make(map[string]int)
		for _, p := range ps {
			i, ok := places[p.Name]
			if !ok {
				places[p.Name] = len(m.Properties)
				m.Properties = append(m.Properties, p)
				continue
			}
			first := &m.Properties[i]
			first.Array = true
			first.Values = append(slices.Clip(first.Values), p.Values...)
		}
		out = append(out, m)
	}
	return out
}

// noLimits is for what went through a format: a name of control characters is
// longer as U+FFFDs.
var noLimits = Limits{1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30}

// checkDecoded checks everything that must hold for messages that any decoder
// returned.
func checkDecoded(t *testing.T, msgs []Message) {
	t.Helper()
	for i := range msgs {
		m := &msgs[i]
		for j, name := range fieldNames {
			if *m.field(j) != "" && m.Present&(1<<j) != 0 {
				t.Errorf("%s has text and its bit set", name)
			}
		}
		for _, p := range m.Properties {
			if fieldIndex(p.Name) >= 0 {
				t.Errorf("property %q has a field's name", p.Name)
			}
			if !p.Array && len(p.Values) != 1 {
				t.Errorf("property %q has %d values and is no array", p.Name, len(p.Values))
			}
		}
		canonical := m.AppendCanonical(nil)
		if !json.Valid(canonical) {
			t.Errorf("canonical form is no JSON: %s", canonical)
		}
		back, err := DecodeCanonical(canonical)
		if err != nil || !reflect.DeepEqual(back, *m) {
			t.Errorf("canonical form\n gives %+v (%v)\n   for %+v", back, err, *m)
		}
	}

	asJSON := AppendJSON(nil, msgs)
	fromJSON, err := Decode(JSON, "", asJSON, noLimits)
	checkSame(t, "JSON", fromJSON, viaJSON(msgs), err)
	oracle, ok := oracleJSON(asJSON, noLimits)
	if !ok {
		t.Errorf("encoding/json refuses %s", asJSON)
	}
	checkSame(t, "JSON read by encoding/json", oracle, fromJSON, nil)

	asXML := AppendXML(nil, msgs)
	fromXML, err := Decode(XML, "", asXML, noLimits)
	checkSame(t, "XML", fromXML, viaXML(msgs), err)
	oracle, err = oracleXML(asXML)
	checkSame(t, "XML read by encoding/xml", oracle, fromXML, err)

	// From here on nothing more is lost.
	again, err := Decode(XML, "", AppendXML(nil, fromXML), noLimits)
	checkSame(t, "XML to XML", again, fromXML, err)
	again, err = Decode(JSON, "", AppendJSON(nil, fromJSON), noLimits)
	checkSame(t, "JSON to JSON", again, fromJSON, err)
	xmlToJSON, err := Decode(JSON, "", AppendJSON(nil, fromXML), noLimits)
	checkSame(t, "XML to JSON", xmlToJSON, viaJSON(fromXML), err)
	for i := range fromXML {
		if xmlToJSON[i].Digest() != fromXML[i].Digest() || fromJSON[i].Digest() != msgs[i].Digest() {
			t.Errorf("the digest of %+v depends on its format", msgs[i])
		}
	}
}

func checkSame(t *testing.T, what string, got, want []Message, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d messages, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: message %d\n got %+v\nwant %+v", what, i+1, got[i], want[i])
		}
	}
}

// checkRefusal checks everything that must hold for an error of this package.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is a %T", err, err)
	}
	if kinds := []error{ErrMalformed, ErrTooLarge, ErrUnsupportedType}; !slices.Contains(kinds, errors.Unwrap(err)) {
		t.Errorf("%v is of kind %v", err, e.kind)
	}
	text := err.Error()
	if len(text) > 1024 || !utf8.ValidString(text) || e.Reason == "" {
		t.Errorf("bad text %q", text)
	}
	for _, r := range text {
		if r < ' ' {
			t.Errorf("control character in %q", text)
		}
	}
}
