package conformance

import (
	"fmt"
	"strings"
)

// jsonRefused is what is no JSON batch.
func jsonRefused() []Case {
	bad := only(400)
	third := func(g *group, name, property string, details ...string) {
		g.refusal(name, typeJSON, `[{"body":"x"},{"body":"y"},{"body":"z",`+property+`}]`, bad, append(details, "message 3")...)
	}

	none := about(Contract, "json/refused", "All fields are optional, but a message with none of `from`, `to`, `subject`, `body`, or with nothing in them, is refused.")
	none.refusal("no field", typeJSON, `{}`, bad)
	none.refusal("only an id", typeJSON, `{"id":"1"}`, bad)
	none.refusal("only when", typeJSON, `{"when":"2010-01-01T23:18:03Z"}`, bad)
	none.refusal("only a property", typeJSON, `{"p":"x"}`, bad)
	none.refusal("only nulls", typeJSON, `{"body":null,"from":null,"to":null,"subject":null}`, bad)
	none.refusal("nothing in any field", typeJSON, `{"id":"1","body":"","from":"","to":"","subject":""}`, bad)
	none.refusal("the second has no field", typeJSON, `[{"body":"x"},{}]`, bad, "message 2")
	none.refusal("the first has no field", typeJSON, `[{"id":"1"},{"body":"x"}]`, bad, "message 1")

	text := about(Contract, "json/refused", "A message with a property `text`, and with neither `subject` nor `body`, is refused in both formats (400): its sender means `body`.")
	text.refusal("text and no body", typeJSON, `[{"body":"x"},{"to":"sms://1","text":"hi"}]`, bad, "QSTv2 calls this body", "message 2")
	text.refusal("text and an empty body", typeJSON, `{"to":"sms://1","body":"","text":"hi"}`, bad, "QSTv2 calls this body")
	text.refusal("text and no body, in XML", typeXML, messageXML(`to="sms://1"`, `<property name="text" value="hi"/>`), bad, "QSTv2 calls this body")
	text.trip("text beside a subject", typeJSON, `{"id":"1","subject":"x","text":"hi"}`, `[{"id":"1","subject":"x","text":"hi"}]`)

	field := about(Contract, "json/refused", `A field that is not a string in JSON: 400.`)
	twice := about(Contract, "json/refused", `The same key twice in one JSON object: 400.`)
	for _, f := range fieldNames {
		other := `"from":"x"`
		if f == "from" {
			other = `"to":"x"`
		}
		for _, v := range []struct{ name, value string }{{"a number", `1`}, {"a boolean", `true`}, {"an array", `["x"]`}, {"an object", `{"a":"b"}`}} {
			field.refusal(f+" is "+v.name, typeJSON, `[{"from":"a","to":"b"},{"`+f+`":`+v.value+`,`+other+`}]`, bad, f, "message 2")
		}
		twice.refusal(f+" twice", typeJSON, `[{"from":"a","to":"b"},{`+other+`,"`+f+`":"x","`+f+`":"x"}]`, bad, f, "message 2")
	}
	third(twice, "a property twice", `"p":1,"p":2`, "p")
	third(twice, "a property twice, apart", `"p":1,"q":2,"p":1`, "p")
	third(twice, "a property twice, once null", `"p":null,"p":1`, "p")
	third(twice, "a property twice, in escapes", `"p":1,"\u0070":1`, "p")
	third(twice, "a field twice, in escapes", `"b\u006fdy":"x"`, "body")

	value := about(Contract, "json/refused", `An object, or an array in an array: 400.`)
	third(value, "an object", `"p":{"a":1}`, "p")
	third(value, "an empty object", `"p":{}`, "p")
	third(value, "an array in an array", `"p":[["a"]]`, "p")
	third(value, "an empty array in an array", `"p":["a",[]]`, "p")
	third(value, "an object in an array", `"p":["a",{}]`, "p")

	return append(all(none, text, field, twice, value), jsonMalformed(bad)...)
}

func jsonMalformed(bad []int) []Case {
	g := about(Contract, "json/malformed", `this batch can never be taken: malformed, too large, wrong type`)
	add := func(name, body string) { g.refusal(name, typeJSON, body, bad) }
	add("the wiki's example", `[ { id: "24c287Ba-9007-4280-99aa-66e0baa69f5a", from: "sms://838383", to: "twitter://foo", when: "2010-01-01T23:18:83Z" subject: "Subject", body: "Body", custom-property: "foo", another-property: 123 } ]`)

	for _, v := range []struct{ name, value string }{
		{"a number with a leading zero", "01"},
		{"a number with a plus", "+1"},
		{"a number without digits before the point", ".5"},
		{"a number without digits after the point", "1."},
		{"a minus alone", "-"},
		{"an exponent without digits", "1e"},
		{"NaN", "NaN"},
		{"Infinity", "-Infinity"},
		{"a hexadecimal number", "0x10"},
		{"a number with separators", "1_000"},
		{"a digit beyond ASCII", "١"},
		{"True in capitals", "True"},
		{"undefined", "undefined"},
		{"a word without quotes", "x"},
		{"single quotes", "'x'"},
		{"no value", ""},
	} {
		add(v.name, `{"body":"x","p":`+v.value+`}`)
	}
	// Wherever it stands.
	for _, v := range []struct{ name, text string }{
		{"an escape \\x", `\x41`},
		{"a short escape \\u", `\u12`},
		{"an escape \\u that is not hexadecimal", `\u12g4`},
		{"an escaped single quote", `\'`},
		{"a backslash before the end", `\`},
		{"a raw line feed", "a\nb"},
		{"a raw tab", "a\tb"},
		{"a raw U+0000", "a\x00b"},
		{"a raw control character", "a\x01b"},
		{"a byte that is never UTF-8", "\xff"},
		{"an overlong form", "\xc0\xaf"},
		{"a surrogate in UTF-8", "\xed\xa0\x80"},
		{"beyond Unicode", "\xf4\x90\x80\x80"},
		{"ISO-8859-1", "caf\xe9"},
		{"half a character", "caf\xc3"},
	} {
		g.refusals("text: "+v.name, typeJSON, bad, `{"body":"`+v.text+`"}`, `{"body":"x","p":"`+v.text+`"}`, `{"body":"x","`+v.text+`":1}`)
	}
	for _, v := range []struct{ name, body string }{
		{"null", `null`},
		{"true", `true`},
		{"a number", `1`},
		{"a string", `"x"`},
		{"an array of null", `[null]`},
		{"an array of numbers", `[1]`},
		{"an array of strings", `["x"]`},
		{"an array of arrays", `[[]]`},
		{"a batch in a batch", `[[{"body":"x"}]]`},
		{"null beside a message", `[{"body":"x"},null]`},
		{"an array beside a message", `[{"body":"x"},[]]`},
		{"a comma after the last message", `[{"body":"x"},]`},
		{"a comma before the first message", `[,{"body":"x"}]`},
		{"a comma after the last key", `[{"body":"x",}]`},
		{"a comma before the first key", `{,"body":"x"}`},
		{"no comma between messages", `[{"body":"x"} {"body":"y"}]`},
		{"no colon", `[{"body" "x"}]`},
		{"an open array", `[{"body":"x"}`},
		{"a closed array that was not opened", `{"body":"x"}]`},
		{"an array closed as an object", `[{"body":"x"}}`},
		{"a word after the batch", `[{"body":"x"}] x`},
		{"two batches", `[] []`},
		{"two bare objects", `{"body":"x"}{"body":"y"}`},
		{"lines of objects", "{\"body\":\"x\"}\n{\"body\":\"y\"}"},
		{"a comma after the batch", `[{"body":"x"}],`},
		{"a quote after the batch", `[{"body":"x"}]"`},
		{"U+0000 after the batch", "[{\"body\":\"x\"}]\x00"},
		{"XML after the batch", `{"body":"x"}<messages/>`},
		{"a comment after the batch", `{"body":"x"} // done`},
		{"a comment within", `{"body":"x" /* c */}`},
		{"a comment before", "// c\n[]"},
		{"keys in single quotes", `{'body':'x'}`},
		{"keys without quotes", `{body:"x"}`},
		{"a number as a key", `{1:"x","body":"x"}`},
		{"a semicolon", `{"body":"x";"p":1}`},
		{"an equals sign", `{"body"="x"}`},
		{"a key without a value", `{"body":"x","p"}`},
		{"a value without a key", `{"body":"x",:1}`},
		{"a no-break space between tokens", "[\u00a0{\"body\":\"x\"}]"},
		{"a vertical tab between tokens", "[\x0b{\"body\":\"x\"}]"},
		{"100000 arrays deep", strings.Repeat("[", 100000)},
		{"100000 arrays deep, closed", strings.Repeat("[", 100000) + strings.Repeat("]", 100000)},
		{"50000 objects deep", strings.Repeat(`{"a":`, 50000) + "1" + strings.Repeat("}", 50000)},
		{"a property 100000 arrays deep", `{"body":"x","p":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`},
	} {
		add(v.name, v.body)
	}

	utf8 := about(Contract, "json/malformed", `JSON is UTF-8.`)
	utf8.refusal("UTF-16 without a mark", typeJSON, "\xff\xfe[\x00{\x00\"\x00b\x00\"\x00:\x001\x00}\x00]\x00", bad)
	utf8.refusal("UTF-16 with a byte order mark", typeJSON, "\xff\xfe"+utf16le(oneJSON), bad)
	utf8.refusal("ISO-8859-1", typeJSON, "[{\"body\":\"caf\xe9\"}]", bad)
	utf8.either("a byte order mark", typeJSON, "\xef\xbb\xbf"+oneJSON, "x", 400) // RFC 8259 allows both

	whole := about(Contract, "json", `All or nothing: either every message of the batch is in the queue, or none is.`)
	whole.add("cut off anywhere", func(t *exam) {
		document := `[{"id":"1","from":"ä","body":"x\ud83d\ude00"},{"id":"2","body":"y","p":[1.5,true,"z"],"q":-12}]`
		cutOff(t, typeJSON, document)
		path := t.channel()
		t.stored(t.do(t.a, "POST", path, document, typeJSON), "json", 2, 0)
		t.wantIDs(t.pull(t.b, path), "1 2")
	})
	return all(g, utf8, whole)
}

// cutOff pushes every beginning of a document.
func cutOff(t *exam, header, document string) {
	path := t.channel()
	for i := range len(document) {
		a := t.do(t.a, "POST", path, document[:i], header)
		if t.refused(a, only(400)); t.failed() {
			t.fatalf("of %s", fmt.Sprintf("%q", document[:i]))
		}
	}
	t.empty(t.b, path)
}
