package qst

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// generator makes random messages that a decoder could have made.
type generator struct {
	*rand.Rand
	texts []string // real ones
}

func newGenerator(tb testing.TB, seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 2)), realTexts(tb)}
}

func realTexts(tb testing.TB) []string {
	b, err := os.ReadFile("testdata/sms.txt")
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// alphabet has what is special somewhere.
var alphabet = []string{
	"a", "b", "0", " ", "  ", "\t", "\n", "\r", "\r\n", "<", ">", "&", "'", `"`, `\`, "/", "]", "]]>", "<![CDATA[", "<!--", "-->", "<?x?>", "&amp;", "&#13;", `\u0041`,
	"\x00", "\x01", "\x08", "\x0b", "\x1f", "\x7f", "\u0080", "\u0085", "\u00a0", "é", "£", "€", "\u2028", "\uFEFF", "\uFFFD", "\uFFFE", "\uFFFF", "\uE000", "😀", "\U0010FFFF",
	"{", "}", "[", "]", ":", ",", "null", "true", "1e5", "id", "body",
}

func (g *generator) text() string {
	if g.IntN(3) == 0 {
		return g.texts[g.IntN(len(g.texts))]
	}
	var b strings.Builder
	for range g.IntN(8) {
		b.WriteString(alphabet[g.IntN(len(alphabet))])
	}
	return b.String()
}

func (g *generator) name() string {
	for {
		name := g.text()
		if g.IntN(2) == 0 {
			name = string(rune('a' + g.IntN(3)))
		}
		if fieldIndex(name) < 0 && len(name) <= 80 {
			return name
		}
	}
}

func (g *generator) value() Value {
	switch g.IntN(4) {
	case 0:
		numbers := []string{"0", "-0", "1.10", "12345678901234567890", "-1e-5", "1E+400", "0.000"}
		return Value{Number, numbers[g.IntN(len(numbers))]}
	case 1:
		return Value{Bool, []string{"true", "false"}[g.IntN(2)]}
	}
	return Value{String, g.text()}
}

// message returns a message that can have come as f: names repeat only in
// XML, arrays and kinds are only in JSON.
func (g *generator) message(f Format) Message {
	var m Message
	for m.From+m.To+m.Subject+m.Body == "" {
		for i := range fieldNames {
			*m.field(i) = ""
			if g.IntN(2) == 0 {
				*m.field(i) = g.text()
			}
		}
	}
	for i := range fieldNames {
		if *m.field(i) == "" && g.IntN(2) == 0 {
			m.Present |= 1 << i
		}
	}
	for range g.IntN(6) {
		p := Property{Name: g.name()}
		if f == XML {
			m.Properties = append(m.Properties, str(p.Name, g.text()))
			continue
		}
		if propertyNamed(m.Properties, p.Name) >= 0 {
			continue
		}
		if p.Array = g.IntN(2) == 0; p.Array {
			for range g.IntN(4) {
				p.Values = append(p.Values, g.value())
			}
		} else {
			p.Values = []Value{g.value()}
		}
		m.Properties = append(m.Properties, p)
	}
	if f == XML {
		return viaXML([]Message{m})[0]
	}
	return m
}

func (g *generator) batch(f Format) []Message {
	var msgs []Message
	for range g.IntN(4) {
		msgs = append(msgs, g.message(f))
	}
	return msgs
}

func TestRoundTripsOfRandomMessages(t *testing.T) {
	g := newGenerator(t, 1)
	for range 3000 {
		f := Format(g.IntN(2))
		msgs := g.batch(f)
		got, err := Decode(f, "", Append(nil, f, msgs), Limits{})
		checkSame(t, "through "+f.String(), got, msgs, err)
		checkDecoded(t, msgs)
		if t.Failed() {
			break
		}
	}
}

// What the sender of XML means by white space, entities, CDATA and charsets
// is in the text and not in how it was written.
func TestXMLWrittenInOtherWays(t *testing.T) {
	g := newGenerator(t, 2)
	for range 1000 {
		want := g.batch(XML)
		doc := AppendXML(nil, want)
		ways := map[string][]byte{
			"CDATA":       bytes.ReplaceAll(doc, []byte("<body>"), []byte("<body><![CDATA[]]>")),
			"comments":    bytes.ReplaceAll(doc, []byte("><"), []byte("><!-- < & > -->\r\n<")),
			"UTF-16":      utf16Bytes(binary.BigEndian, "\uFEFF"+string(doc)),
			"references":  numericReferences(doc),
			"declaration": append([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), doc...),
		}
		if latin1, err := charmap.ISO8859_1.NewEncoder().Bytes(doc); err == nil {
			ways["ISO-8859-1"] = append([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?>`), latin1...)
		}
		for way, doc := range ways {
			got, err := Decode(XML, "", doc, Limits{})
			checkSame(t, way, got, want, err)
		}
	}
}

// numericReferences writes every character beyond ASCII as a reference.
func numericReferences(doc []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(doc) {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#x%X;", r)
		}
	}
	return b.Bytes()
}

func TestDigestIgnoresOrderOfNames(t *testing.T) {
	g := newGenerator(t, 3)
	for range 1000 {
		m := g.message(JSON)
		want := m.Digest()
		g.Shuffle(len(m.Properties), reflect.Swapper(m.Properties))
		if m.Digest() != want {
			t.Fatalf("digest of %+v depends on the order", m)
		}
	}
}

// A document cut short anywhere, or with any byte changed, is refused with a
// proper error or is still a proper batch. Nothing panics.
func TestDamagedDocuments(t *testing.T) {
	g := newGenerator(t, 4)
	for range 60 {
		f := Format(g.IntN(2))
		body := Append(nil, f, []Message{g.message(f), g.message(f)})
		for i := range body {
			if _, err := Decode(f, "", body[:i], Limits{}); err == nil {
				t.Fatalf("accepted %s", body[:i])
			} else {
				checkRefusal(t, err)
			}
			damaged := bytes.Clone(body)
			damaged[i] = byte(g.IntN(256))
			if msgs, err := Decode(f, "", damaged, Limits{}); err != nil {
				checkRefusal(t, err)
			} else if i%16 == 0 {
				checkDecoded(t, msgs)
			}
		}
	}
}

// Results own their texts: the body's buffer may be used again.
func TestDecodeKeepsNoReference(t *testing.T) {
	g := newGenerator(t, 5)
	for range 200 {
		f := Format(g.IntN(2))
		want := g.batch(f)
		body := Append(nil, f, want)
		got, err := Decode(f, "", body, Limits{})
		for i := range body {
			body[i] = 'x'
		}
		checkSame(t, "after the buffer changed", got, want, err)
	}
}

// Texts of a long batch, short and long ones, share allocations and nothing
// else.
func TestRoundTripsOfLongBatches(t *testing.T) {
	g := newGenerator(t, 9)
	for _, f := range []Format{XML, JSON} {
		var want []Message
		for i := range 500 {
			m := g.message(f)
			m.Body = strings.Repeat("x", 1+i*5)
			m.Present &^= FieldBody
			want = append(want, m)
		}
		got, err := Decode(f, "", Append(nil, f, want), Limits{})
		checkSame(t, f.String(), got, want, err)
	}
}

// Values of a property are its own to append to.
func TestValuesDoNotShareRoom(t *testing.T) {
	m := decode(t, JSON, `{"to":"1","a":[1,2],"b":[3],"c":4,"d":[5,6,7]}`)
	want := m.AppendCanonical(nil)
	for _, p := range m.Properties {
		_ = append(p.Values, Value{Text: "x"}, Value{Text: "y"})
	}
	if got := m.AppendCanonical(nil); !bytes.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
