package qst

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// decode decodes one message that must be good.
func decode(t *testing.T, f Format, body string) Message {
	t.Helper()
	msgs, err := Decode(f, "", []byte(body), Limits{})
	if err != nil || len(msgs) != 1 {
		t.Fatalf("%d messages, %v in %s", len(msgs), err, body)
	}
	return msgs[0]
}

func TestDigestIsStable(t *testing.T) {
	// Digests are stored, so another release must compute the same.
	m := decode(t, JSON, `{"id":"1","from":"f","to":"t","when":"w","subject":"s","body":"b","p":[1,"2"],"a":true}`)
	d := m.Digest()
	if got, want := hex.EncodeToString(d[:]), "7bc18e4e45d7f8c2a766b102272598ce"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDigestEqual(t *testing.T) {
	for _, test := range []struct{ name, json, xml string }{
		{"fields", `{"id":"1","from":"f","to":"t","when":"w","subject":"s","body":"b"}`,
			`<message id="1" from="f" to="t" when="w"><subject>s</subject><body>b</body></message>`},
		{"order of keys", `{"body":"b","to":"t"}`, `<message to="t"><body>b</body></message>`},
		{"empty fields", `{"id":"","to":"t","body":""}`, `<message to="t" id=""><body/></message>`},
		{"kinds", `{"to":"t","n":1.10,"b":true}`, `<message to="t"><property name="n" value="1.10"/><property name="b" value="true"/></message>`},
		{"array", `{"to":"t","a":[1,"2"]}`, `<message to="t"><property name="a" value="1"/><property name="a" value="2"/></message>`},
		{"array of one", `{"to":"t","a":["1"]}`, `<message to="t"><property name="a" value="1"/></message>`},
		{"array of none", `{"to":"t","a":[]}`, `<message to="t"/>`},
		{"null", `{"to":"t","a":null,"body":null}`, `<message to="t"/>`},
		{"interleaved", `{"to":"t","b":"2","a":["1","3"]}`,
			`<message to="t"><property name="a" value="1"/><property name="b" value="2"/><property name="a" value="3"/></message>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			j, x := decode(t, JSON, test.json), decode(t, XML, messages(test.xml))
			if j.Digest() != x.Digest() {
				t.Error("digest depends on the format")
			}
			c, err := DecodeCanonical(x.AppendCanonical(nil))
			if err != nil || c.Digest() != x.Digest() {
				t.Errorf("digest changes in the store (%v)", err)
			}
		})
	}
}

func TestDigestDiffers(t *testing.T) {
	seen := make(map[[16]byte]string)
	for _, body := range []string{
		`{"to":"t"}`, `{"from":"t"}`, `{"body":"t"}`, `{"subject":"t"}`, `{"to":"t","id":"t"}`, `{"to":"t","when":"t"}`, `{"to":"t "}`, `{"to":"T"}`,
		`{"to":"t","id":""}`, `{"to":"t","when":""}`, `{"to":"t","body":""}`, `{"to":"t","subject":"","body":""}`,
		`{"to":"t","a":""}`, `{"to":"t","":"a"}`, `{"to":"t","a":["",""]}`,
		`{"to":"t","a":"bc"}`, `{"to":"t","ab":"c"}`, `{"to":"t","a":["b","c"]}`, `{"to":"t","a":["c","b"]}`, `{"to":"t","a":"b","c":""}`,
		`{"to":"t","a":"b","b":"a"}`, `{"to":"t","a":"a","b":"b"}`, `{"to":"t","a":1}`, `{"to":"t","a":1.0}`,
		`{"to":"tb","body":"b"}`, `{"to":"t","body":"bb"}`, `{"to":"t","a":"\u0000"}`,
	} {
		m := decode(t, JSON, body)
		d := m.Digest()
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", body, other)
		}
		seen[d] = body
	}
}

// A digest is the hash of all texts, each after its tag and its length, wherever in
// them the hash is fed.
func TestDigestOfTextsOfAnyLength(t *testing.T) {
	text := func(b []byte, tag byte, s string) []byte {
		return append(binary.AppendUvarint(append(b, tag), uint64(len(s))), s...)
	}
	for n := 1; n < 2500; n++ {
		m := Message{To: "t", Body: strings.Repeat("x", n), Properties: []Property{str("a", strings.Repeat("y", 2500-n)), str("b", "z")}}
		b := text(text(nil, indexTo, m.To), indexBody, m.Body)
		for _, p := range m.Properties {
			b = text(text(b, digestName, p.Name), digestValue, p.Values[0].Text)
		}
		sum := sha256.Sum256(b)
		if got := m.Digest(); !bytes.Equal(got[:], sum[:16]) {
			t.Errorf("body of %d bytes: %x", n, got)
		}
	}
}

func TestDigestDoesNotAllocate(t *testing.T) {
	m := Message{ID: "1", Body: strings.Repeat("long ", 10000)}
	for i := range 64 {
		m.Properties = append(m.Properties, str(fmt.Sprint(-i), strings.Repeat("x", 100)))
	}
	if n := testing.AllocsPerRun(100, func() { m.Digest() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
