//go:build goexperiment.jsonv2

package qst

import (
	"bytes"
	"encoding/json/jsontext"
	"io"
	"slices"
	"testing"
)

// BenchmarkDecodeJSONv2 decodes the batch of BenchmarkDecode with the standard library's
// second JSON package, in the two ways that one would (ADR 8):
//
//	GOEXPERIMENT=jsonv2 go test -run '^$' -bench 'Decode' ./pkg/qst
func BenchmarkDecodeJSONv2(b *testing.B) {
	msgs := benchBatch(b)
	body := AppendJSON(nil, msgs)
	if got, err := tokensJSONv2(body); err != nil || !slices.EqualFunc(got, msgs, func(a, b Message) bool {
		return bytes.Equal(a.AppendCanonical(nil), b.AppendCanonical(nil))
	}) {
		b.Fatal("it decodes something else", err)
	}
	for name, decode := range map[string]func([]byte) ([]Message, error){"tokens": tokensJSONv2, "only read": readJSONv2} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(body); err != nil {
					b.Fatal(err)
				}
			}
			perMessage(b, len(msgs))
		})
	}
}

// readJSONv2 reads all tokens, and keeps none.
func readJSONv2(body []byte) ([]Message, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		if _, err := d.ReadToken(); err == io.EOF { //nolint:errorlint // as its documentation has it
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// tokensJSONv2 makes messages of the tokens: what keeps the digits of a number and the order of
// properties. Of the contract it has the grammar, UTF-8 and that no name comes twice.
func tokensJSONv2(body []byte) ([]Message, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := d.ReadToken(); err != nil { // [
		return nil, err
	}
	var msgs []Message
	for d.PeekKind() == '{' {
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
		msgs = append(msgs, Message{})
		m := &msgs[len(msgs)-1]
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			value, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			f := jsonv2Field(m, key)
			if f != nil {
				*f = value.String()
				continue
			}
			kind := String
			if value.Kind() == '0' {
				kind = Number
			}
			m.Properties = append(m.Properties, Property{Name: key, Values: []Value{{Text: value.String(), Kind: kind}}})
		}
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken() // ]
	return msgs, err
}

func jsonv2Field(m *Message, key string) *string {
	switch key {
	case "id":
		return &m.ID
	case "from":
		return &m.From
	case "to":
		return &m.To
	case "when":
		return &m.When
	case "subject":
		return &m.Subject
	case "body":
		return &m.Body
	}
	return nil
}
