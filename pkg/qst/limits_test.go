package qst

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestDefaultLimits(t *testing.T) {
	want := Limits{MaxMessages: 1000, MaxMessageBytes: 65536, MaxProperties: 64, MaxNameBytes: 256, MaxIDBytes: 1024}
	if got := DefaultLimits(); got != want {
		t.Errorf("got %+v", got)
	}
	if got := (Limits{MaxMessages: -1, MaxNameBytes: 3}).orDefault(); got != (Limits{1000, 65536, 64, 3, 1024}) {
		t.Errorf("got %+v", got)
	}
}

// jsonMessages and xmlMessages return batches of n messages.
func jsonMessages(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"to":"1"},`, n), ",") + "]"
}

func xmlMessages(n int) string { return messages(strings.Repeat(`<message to="1"/>`, n)) }

func TestLimits(t *testing.T) {
	rep := strings.Repeat
	jsonProps := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"p%d":%d`, i, i)
		}
		return `{"to":"1"` + b.String() + `}`
	}
	const (
		tooMany  = `the batch has more than 1000 messages`
		tooMuch  = `message 1: has more than 64 property values`
		tooLarge = `message 1: is larger than 65536 bytes`
	)
	// {"to":"…"} has 9 bytes around its text.
	const room = 65536 - 9
	for _, test := range []struct {
		name   string
		format Format
		body   string
		limits Limits
		kind   error // nil: accepted
		want   string
	}{
		{"1000 messages", JSON, jsonMessages(1000), Limits{}, nil, ""},
		{"1001 messages", JSON, jsonMessages(1001), Limits{}, ErrTooLarge, tooMany},
		{"1000 messages", XML, xmlMessages(1000), Limits{}, nil, ""},
		{"1001 messages", XML, xmlMessages(1001), Limits{}, ErrTooLarge, tooMany},
		{"stops at the message too many", JSON, jsonMessages(1000)[:11*1000] + ",{garbage", Limits{}, ErrTooLarge, tooMany},
		{"stops at the message too many", XML, "<messages>" + rep(`<message to="1"/>`, 1000) + "<message garbage", Limits{}, ErrTooLarge, tooMany},
		{"limit of one", JSON, jsonMessages(2), Limits{MaxMessages: 1}, ErrTooLarge, `the batch has more than 1 messages`},
		{"higher limit", XML, xmlMessages(1500), Limits{MaxMessages: 2000}, nil, ""},

		{"64 properties", JSON, jsonProps(64), Limits{}, nil, ""},
		{"65 properties", JSON, jsonProps(65), Limits{}, ErrTooLarge, tooMuch},
		{"array of 64", JSON, `{"to":"1","p":[1` + rep(",1", 63) + `]}`, Limits{}, nil, ""},
		{"array of 65", JSON, `{"to":"1","p":[1` + rep(",1", 64) + `]}`, Limits{}, ErrTooLarge, tooMuch},
		{"empty array is the 64th", JSON, jsonProps(63)[:len(jsonProps(63))-1] + `,"e":[]}`, Limits{}, nil, ""},
		{"empty array is the 65th", JSON, jsonProps(64)[:len(jsonProps(64))-1] + `,"e":[]}`, Limits{}, ErrTooLarge, tooMuch},
		{"value after an empty array is the 65th", JSON, `{"e":[],` + jsonProps(64)[1:], Limits{}, ErrTooLarge, tooMuch},
		{"string after an empty array is the 65th", JSON, `{"to":"1","e":[],"p":[""` + rep(`,""`, 63) + `]}`, Limits{}, ErrTooLarge, tooMuch},
		{"boolean after an empty array is the 65th", JSON, `{"to":"1","e":[],"p":[true` + rep(`,true`, 63) + `]}`, Limits{}, ErrTooLarge, tooMuch},
		{"empty arrays are counted per message", JSON, `[` + rep(`{"to":"1","a":[]},`, 100) + jsonProps(64) + `]`, Limits{}, nil, ""},
		{"nulls do not count", JSON, `{"n1":null,"n2":null,` + jsonProps(64)[1:], Limits{}, nil, ""},
		{"64 properties", XML, message(rep(`<property name="a" value="1"/>`, 64)), Limits{}, nil, ""},
		{"65 properties", XML, message(rep(`<property name="a" value="1"/>`, 65)), Limits{}, ErrTooLarge, tooMuch},
		{"properties are counted per message", XML, messages(rep(`<message to="1">`+rep(`<property name="a" value="1"/>`, 64)+`</message>`, 2)), Limits{}, nil, ""},

		{"name of 256 bytes", JSON, `{"to":"1","` + rep("n", 256) + `":1}`, Limits{}, nil, ""},
		{"name of 257 bytes", JSON, `{"to":"1","` + rep("n", 257) + `":1}`, Limits{}, ErrTooLarge,
			`message 1: the name of property "` + rep("n", 64) + `"… is longer than 256 bytes`},
		{"name of 128 two-byte characters, escaped", JSON, `{"to":"1","` + rep(`\u00e9`, 128) + `":1}`, Limits{}, nil, ""},
		{"name of 129 two-byte characters", JSON, `{"to":"1","` + rep(`é`, 129) + `":1}`, Limits{}, ErrTooLarge,
			`message 1: the name of property "` + rep("é", 32) + `"… is longer than 256 bytes`},
		{"name of 256 bytes", XML, message(`<property value="" name="` + rep("&amp;", 256) + `"/>`), Limits{}, nil, ""},
		{"name of 257 bytes", XML, message(`<property name="` + rep("n", 257) + `" value=""/>`), Limits{}, ErrTooLarge,
			`message 1: the name of property "` + rep("n", 64) + `"… is longer than 256 bytes`},

		{"id of 1024 bytes", JSON, `{"to":"1","id":"` + rep(`\u0069`, 1024) + `"}`, Limits{}, nil, ""},
		{"id of 1025 bytes", JSON, `[{"to":"1"},{"to":"1","id":"` + rep("i", 1025) + `"}]`, Limits{}, ErrTooLarge, `message 2: the id is longer than 1024 bytes`},
		{"id of 1025 bytes", XML, `<messages><message to="1" id="` + rep("i", 1025) + `"/></messages>`, Limits{}, ErrTooLarge, `message 1: the id is longer than 1024 bytes`},
		{"id of 1025 bytes, read with no limits", JSON, `{"to":"1","id":"` + rep("i", 1025) + `"}`, NoLimits(), nil, ""},
		{"from of 1025 bytes", JSON, `{"from":"` + rep("i", 1025) + `"}`, Limits{}, nil, ""},

		{"64 KiB", JSON, `{"to":"` + rep("x", room) + `"}`, Limits{}, nil, ""},
		{"64 KiB and one", JSON, `{"to":"` + rep("x", room+1) + `"}`, Limits{}, ErrTooLarge, tooLarge},
		{"64 KiB in a roundabout way", JSON, "{\"id\":null,\n \"to\" : \"" + rep(`\u0078`, room) + `" }`, Limits{}, nil, ""},
		{"64 KiB only if escaped", JSON, `{"to":"` + rep("x", room-4) + `\u0000"}`, Limits{}, ErrTooLarge, tooLarge},
		{"64 KiB with an escape", JSON, `{"to":"` + rep("x", room-6) + `\u0000"}`, Limits{}, nil, ""},
		{"64 KiB", XML, `<messages><message to="` + rep("x", room) + `"/></messages>`, Limits{}, nil, ""},
		{"64 KiB and one", XML, `<messages><message to="` + rep("x", room+1) + `"/></messages>`, Limits{}, ErrTooLarge, tooLarge},
		{"64 KiB of entities", XML, `<messages><message to="` + rep("&lt;", room) + `"/></messages>`, Limits{}, nil, ""},
		{"64 KiB only with quotes escaped", XML, `<messages><message to="` + rep("&quot;", room/2+1) + `"/></messages>`, Limits{}, ErrTooLarge, tooLarge},
		{"64 KiB of quotes", XML, `<messages><message to="` + rep("&quot;", room/2) + `"/></messages>`, Limits{}, nil, ""},
		{"the second message", XML, `<messages><message to="1"/><message><body>` + rep("x", 70000) + `</body></message></messages>`, Limits{}, ErrTooLarge,
			`message 2: is larger than 65536 bytes`},
		{"stops at the text too many", JSON, `{"to":"1","p":"` + rep("x", 65536) + `",garbage`, Limits{}, ErrTooLarge, tooLarge},
		{"size is counted per message", JSON, `[{"to":"` + rep("x", 40000) + `"},{"to":"` + rep("x", 40000) + `"}]`, Limits{}, nil, ""},
		{"size is counted per message", XML, messages(rep(`<message to="`+rep("x", 40000)+`"/>`, 3)), Limits{}, nil, ""},
		{"values in all", JSON, `{"to":"1","p":["` + rep("x", 40000) + `","` + rep("y", 40000) + `"]}`, Limits{}, ErrTooLarge, tooLarge},
		{"limit of ten", JSON, `{"to":"1"}`, Limits{MaxMessageBytes: 10}, nil, ""},
		{"limit of nine", JSON, `{"to":"1"}`, Limits{MaxMessageBytes: 9}, ErrTooLarge, `message 1: is larger than 9 bytes`},
	} {
		t.Run(test.format.String()+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			msgs, err := Decode(test.format, "", []byte(test.body), test.limits)
			if test.kind != nil {
				checkError(t, err, test.kind, test.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			limits := test.limits.orDefault()
			for i := range msgs {
				if n := len(msgs[i].AppendCanonical(nil)); n > limits.MaxMessageBytes {
					t.Errorf("message %d of %d bytes was accepted", i+1, n)
				}
			}
		})
	}
}

// Around the limit, for every kind of text and place, the exact size of the
// canonical form decides, and nothing of the estimates before it shows.
func TestMessageSizeIsExact(t *testing.T) {
	for _, body := range []string{
		`{"to":"1"}`, `{"id":"","from":"","to":"1","when":"","subject":"","body":""}`, `{"to":"\u0000\u001f\"\\\n","p":[],"":[1,true,"x\u0001"],"q":-1e5}`,
		`{"to":"` + strings.Repeat(`\u0001`, 200) + `"}`, `{"to":"1","` + strings.Repeat(`\"`, 50) + `":["` + strings.Repeat(`\u0000`, 50) + `"]}`,
		`{"body":"é😀\ud800\uffff","a":"","b":"","c":[""],"d":["",""]}`,
	} {
		m := decode(t, JSON, body)
		size := len(m.AppendCanonical(nil))
		for limit := 1; limit < size+100; limit++ {
			_, err := Decode(JSON, "", []byte(body), Limits{MaxMessageBytes: limit})
			if ok := err == nil; ok != (limit >= size) {
				t.Errorf("%s of %d bytes with a limit of %d: %v", body, size, limit, err)
			}
		}
	}
}

// A limit that is added has a default, and is none of NoLimits.
func TestEveryLimit(t *testing.T) {
	t.Parallel()
	d, none := reflect.ValueOf(DefaultLimits()), reflect.ValueOf(NoLimits())
	or := reflect.ValueOf(Limits{}.orDefault())
	for i := range d.NumField() {
		name := d.Type().Field(i).Name
		if d.Field(i).Int() <= 0 || or.Field(i).Int() != d.Field(i).Int() {
			t.Errorf("%s: the default is %d, zero stands for %d", name, d.Field(i).Int(), or.Field(i).Int())
		}
		if none.Field(i).Int() != math.MaxInt {
			t.Errorf("%s: %d is no limit", name, none.Field(i).Int())
		}
	}
}

// Whatever is sent, decoding allocates no more than a small multiple of it.
func TestAllocationIsBounded(t *testing.T) {
	const size = 1 << 20
	fill := func(prefix, unit string) string { return prefix + strings.Repeat(unit, (size-len(prefix))/len(unit)) }
	numbered := func(prefix, format string) string {
		b := []byte(prefix)
		for i := 0; len(b) < size; i++ {
			b = fmt.Appendf(b, format, i)
		}
		return string(b)
	}
	unlimited := NoLimits()
	for _, test := range []struct {
		name    string
		format  Format
		charset string
		body    string
	}{
		{"nested arrays", JSON, "", fill("", "[")},
		{"nested objects", JSON, "", fill("", `{"a":`)},
		{"nested in a property", JSON, "", fill(`{"a":`, "[")},
		{"empty objects", JSON, "", fill("[", "{},")},
		{"small messages", JSON, "", fill("[", `{"to":"1"},`)},
		{"nulls", JSON, "", numbered(`{"to":"1"`, `,"%d":null`)},
		{"keys", JSON, "", numbered(`{"to":"1"`, `,"%d":1`)},
		{"array", JSON, "", fill(`{"to":"1","a":[1`, ",1")},
		{"empty arrays", JSON, "", numbered(`{"to":"1"`, `,"%d":[]`)},
		{"escapes", JSON, "", fill(`{"to":"`, `\u0800`) + `"}`},
		{"line feeds", JSON, "", fill(`{"to":"`, `\n`) + `"}`},
		{"long string without an end", JSON, "", fill(`{"to":"`, "x")},
		{"long number", JSON, "", fill(`{"to":"1","n":`, "1") + "}"},
		{"long key", JSON, "", fill(`{"`, "k") + `":"x"}`},
		{"white space", JSON, "", fill("", "\n") + "x"},
		{"invalid at the end", JSON, "", fill(`["`, "x") + "\xff"},

		{"small messages", XML, "", fill("<messages>", "<message/>")},
		{"messages", XML, "", fill("<messages>", `<message to="1"/>`)},
		{"nested elements", XML, "", fill("", "<messages>")},
		{"nested unknown elements", XML, "", fill("<messages>", "<a>")},
		{"attributes", XML, "", numbered("<messages><message", ` a%d="1"`)},
		{"one attribute", XML, "", fill("<messages><message", ` to="1"`)},
		{"properties", XML, "", fill(`<messages><message to="1">`, `<property name="" value=""/>`)},
		{"references", XML, "", fill("<messages><message><body>", "&#x800;") + "</body></message></messages>"},
		{"short references", XML, "", fill("<messages><message><body>", "&lt;") + "</body></message></messages>"},
		{"one huge reference", XML, "", fill("<messages><message><body>&#x", "f") + ";</body></message></messages>"},
		{"one huge entity", XML, "", fill("<messages><message><body>&", "f") + ";</body></message></messages>"},
		{"empty CDATA", XML, "", fill("<messages><message><body>", "<![CDATA[]]>") + "</body></message></messages>"},
		{"comments", XML, "", fill("", "<!---->") + "<messages/>"},
		{"instructions", XML, "", fill("", "<?a?>") + "<messages/>"},
		{"huge name", XML, "", fill("<", "é") + "/>"},
		{"huge declaration", XML, "", fill(`<?xml version="1.`, "0") + `"?><messages/>`},
		{"huge encoding", XML, "", fill(`<?xml version="1.0" encoding="`, "a") + `"?><messages/>`},
		{"huge charset", XML, fill("", "a"), "<messages/>"},
		{"entity bomb", XML, "", fill(`<!DOCTYPE m [<!ENTITY a "`, "a") + `">]><messages>&a;</messages>`},
		{"carriage returns", XML, "", fill("<messages><message><body>", "\r") + "</body></message></messages>"},
		{"UTF-16", XML, "utf-16be", fill("", "\x00<")},
		{"UTF-16 of three bytes each", XML, "utf-16be", fill("", "\x08\x00")},
		{"windows-1252 of three bytes each", XML, "windows-1252", fill("", "\x80")},
		{"Shift_JIS of three bytes each", XML, "shift_jis", fill("", "\xb1")},
		{"Big5 of two characters each", XML, "big5", fill("", "\x88\x62")},
		{"invalid GB18030", XML, "gb18030", fill("", "\xff")},
		{"U+FFFD in GB18030", XML, "gb18030", fill("", "\x84\x31\xa4\x37")},
	} {
		for _, limits := range []Limits{{}, unlimited} {
			name := test.format.String() + "/" + test.name
			factor := 16 // of the input's size
			if limits == unlimited {
				// What becomes a Message of 128 bytes has at least 11, and the
				// slice of them is copied as it grows.
				name += ", unlimited"
				factor = 80
				if test.name == "keys" || test.name == "empty arrays" {
					continue // quadratic without MaxProperties, as it says
				}
			}
			t.Run(name, func(t *testing.T) {
				body := []byte(test.body)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := Decode(test.format, test.charset, body, limits)
				runtime.ReadMemStats(&after)
				got := after.TotalAlloc - before.TotalAlloc
				if got > uint64(factor*(size+1<<16)) {
					t.Errorf("%d bytes allocated for %d (%v)", got, len(body), err)
				}
				if err != nil && len(err.Error()) > 1024 {
					t.Errorf("error of %d bytes: %.100s", len(err.Error()), err)
				}
				t.Logf("%.2f bytes per byte: %v", float64(got)/float64(len(body)), err)
			})
		}
	}
}
