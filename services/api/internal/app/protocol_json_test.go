package app_test

import (
	"fmt"
	"strings"
	"testing"
)

// What goes in as JSON, and what has to come out.
func testJSONMessages(t *testing.T, a, b *replica) {
	same := func(name, body string) trip { return trip{name, typeJSON, body, body} }
	with := func(name, property string) trip { return same(name, `[{"id":"1","body":"x",`+property+`}]`) }
	digits := strings.Repeat("1234567890", 30)
	runTrips(t, a, b, []trip{
		{"the wiki's example mended", typeJSON,
			`[ { "id": "24c287Ba-9007-4280-99aa-66e0baa69f5a", "from": "sms://838383", "to": "twitter://foo", "when": "2010-01-01T23:18:83Z",
			"subject": "Subject", "body": "Body", "custom-property": "foo", "another-property": 123 } ]`,
			`[{"id":"24c287Ba-9007-4280-99aa-66e0baa69f5a","from":"sms://838383","to":"twitter://foo","when":"2010-01-01T23:18:83Z","subject":"Subject","body":"Body","custom-property":"foo","another-property":123}]`},
		{"a bare object", typeJSON, ` {"id":"1","body":"x"} `, `[{"id":"1","body":"x"}]`},
		same("only from", `[{"id":"1","from":"sms://1"}]`),
		same("only to", `[{"id":"1","to":"sms://1"}]`),
		same("only subject", `[{"id":"1","subject":"x"}]`),
		same("only body", `[{"id":"1","body":"x"}]`),
		same("without an id", `[{"body":"x"}]`),
		{"an empty id", typeJSON, `[{"id":"","body":"x"}]`, `[{"body":"x"}]`},
		same("without anything but a body, twice", `[{"body":"x"},{"body":"x"}]`),
		same("when is no time", `[{"id":"1","when":"yesterday, or so","body":"x"}]`),
		same("when has second 83", `[{"id":"1","when":"2010-01-01T23:18:83Z","body":"x"}]`),
		same("when has an offset", `[{"id":"1","when":"2010-01-01T23:18:03.120000+05:30","body":"x"}]`),
		same("when is a number in quotes", `[{"id":"1","when":"1262387883","body":"x"}]`),
		same("from and to are no addresses", `[{"id":"1","from":" nobody  in\tparticular ","to":"<x@y>","body":"x"}]`),
		same("an id of any form", `[{"id":"  ä/?#&\"'<>\u00a0 ","body":"x"}]`),
		same("a long id", `[{"id":"`+strings.Repeat("i", 3000)+`","body":"x"}]`),
		{"other order of fields", typeJSON, `[{"p":1,"body":"x","to":"t","id":"1","q":2,"from":"f"}]`, `[{"id":"1","from":"f","to":"t","body":"x","p":1,"q":2}]`},
		{"two messages", typeJSON, "\n[ {\"id\":\"1\",\"body\":\"x\"} ,\r\n\t{\"id\":\"2\",\"body\":\"y\"} ]\n\n", `[{"id":"1","body":"x"},{"id":"2","body":"y"}]`},

		with("a string", `"p":"foo"`),
		with("an empty string", `"p":""`),
		with("true and false", `"t":true,"f":false`),
		with("an array of strings", `"p":["a","b","c"]`),
		with("an array of one", `"p":["a"]`),
		with("an array of one number", `"p":[1.10]`),
		with("a mixed array", `"p":["a",1,true,"1",false,1.10]`),
		with("an array with the same twice", `"p":["a","a"]`),
		with("an array of empty strings", `"p":["",""]`),
		with("a long array", `"p":[`+strings.TrimSuffix(strings.Repeat(`1,`, 60), ",")+`]`),
		with("strings that look like other types", `"p":"1","q":"true","r":"null","s":"[1]","t":"{}"`),
		with("an empty array", `"p":[]`),
		{"null", typeJSON, `[{"id":"1","body":"x","p":null,"q":1}]`, `[{"id":"1","body":"x","q":1}]`},
		{"null fields", typeJSON, `[{"id":null,"from":null,"to":null,"when":null,"subject":null,"body":"x"}]`, `[{"body":"x"}]`},

		with("0", `"p":0`), with("-0", `"p":-0`), with("1.10", `"p":1.10`), with("0.0", `"p":0.0`),
		with("beyond int64", `"p":12345678901234567890`),
		with("beyond float64", `"p":1e400`), with("an exponent", `"p":1E+2`), with("small", `"p":-1.5e-10`),
		with("many digits", `"p":`+digits), with("many decimals", `"p":0.`+digits), with("0.1", `"p":0.1000`),
		with("numbers in an array", `"p":[1.0,10,1e1,100000000000000000000000]`),

		with("keys in capitals are properties", `"Body":"y","ID":"z","From":"w","WHEN":1,"SUBJECT":true`),
		with("keys of the XML form", `"message":"a","messages":"b","property":"c","name":"d","value":"e","text":"f"`),
		with("keys of languages", `"__proto__":"a","constructor":"b","toString":"c","hasOwnProperty":"d","class":"e"`),
		with("keys of any form", `"a b":1," lead":2,"trail ":3,"a\"b":4,"<&>":5,"ä":6,"\ud83d\ude00":7,"a\tb":8,"a\nb\r":9,"xml:lang":10,"1":11`),
		with("keys in their order", `"z":1,"a":2,"10":3,"9":4,"m":5,"B":6,"b":7,"0":8`),
		with("a long key", `"`+strings.Repeat("k", 250)+`":"v"`),
		with("keys that differ in form only", `"\u00e9":1,"e\u0301":2`),
		{"a key in escapes", typeJSON, `[{"\u0069d":"1","b\u006fdy":"x","\u0070":1}]`, `[{"id":"1","body":"x","p":1}]`},
	})
	t.Run("sixty properties", func(t *testing.T) {
		var p []string
		for i := range 60 {
			p = append(p, fmt.Sprintf(`"p%d":"v%d"`, (i*37)%60, i))
		}
		body := `[{"id":"1","body":"x",` + strings.Join(p, ",") + `}]`
		trip{"", typeJSON, body, body}.run(t, a, b)
	})
}

// Text arrives as it was sent: here as body, subject, sender, id, property and name.
func testJSONText(t *testing.T, a, b *replica) {
	for _, c := range []struct{ name, text string }{
		{"white space around", `  x \n\n `}, {"only white space", `  `}, {"one LF", `\n`}, {"CR LF", `a\r\nb\r\n`}, {"CR", `a\rb\r`}, {"LF CR", `a\n\rb`}, {"tabs", `\ta\t\tb\t`},
		{"markup", `<b>&amp;</b> &#13; ]]> <![CDATA[x]]> <!-- -->`}, {"quotes", `\"'\"`}, {"backslashes", `\\n \\u0041 \/`},
		{"control characters", `a\u0001\u0008\u000b\u000c\u000e\u001f\u001bb`}, {"U+0000", `a\u0000b`}, {"only U+0000", `\u0000`},
		{"DEL and C1", `a\u007f\u0080\u0085\u009fb`}, {"line separators", `a\u2028\u2029b`}, {"no-break spaces", `\u00a0x\u3000\ufeff`},
		{"noncharacters", `a\ufffe\uffff\ufdd0b`}, {"U+FFFD itself", `\ufffd`}, {"BOM within", `a\ufeffb`},
		{"emoji", "\U0001F600\U0001F468\u200D\U0001F469\u200D\U0001F467"}, {"emoji in escapes", `\ud83d\ude00 \uD83D\uDE00`}, {"the last plane", `\udbff\udffd`},
		{"not normalised", "e\u0301 \u00e9 \u212b"}, {"right to left", "\u202eabc\u202c \u05d0\u05d1"}, {"Chinese", "中文字符"},
		{"lone high surrogate", `a\ud800b`}, {"lone low surrogate", `a\udc00b`}, {"surrogates reversed", `\udc00\ud800`}, {"half a pair, then an escape", `\ud83d\u0041`}, {"high surrogate at the end", `a\ud83d`},
		{"percent and plus", `100%41 + a%20b`}, {"looks like JSON", `{\"a\":[1,null]}`}, {"looks like nil", `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := fmt.Sprintf(`[{"id":"%[1]s","from":"%[1]s","to":"%[1]s","when":"%[1]s","subject":"%[1]s","body":"%[1]s","p":"%[1]s","q":["%[1]s","%[1]s"],"k%[1]s":"v"}]`, c.text)
			trip{"", typeJSON, body, body}.run(t, a, b)
		})
	}
}

func testJSONRefused(t *testing.T, a, b *replica) {
	bad := only(400)
	var cases []refusal
	add := func(name, body string, details ...string) {
		cases = append(cases, refusal{name, typeJSON, body, bad, details})
	}
	with := func(name, property string, details ...string) {
		add(name, `[{"body":"x"},{"body":"y"},{"body":"z",`+property+`}]`, append(details, "message 3")...)
	}
	add("the wiki's example", `[ { id: "24c287Ba-9007-4280-99aa-66e0baa69f5a", from: "sms://838383", to: "twitter://foo", when: "2010-01-01T23:18:83Z" subject: "Subject", body: "Body", custom-property: "foo", another-property: 123 } ]`)
	add("no field", `{}`)
	add("only an id", `{"id":"1"}`)
	add("only when", `{"when":"2010-01-01T23:18:03Z"}`)
	add("only a property", `{"p":"x"}`)
	add("only nulls", `{"body":null,"from":null,"to":null,"subject":null}`)
	add("the second has no field", `[{"body":"x"},{}]`, "message 2")
	add("the first has no field", `[{"id":"1"},{"body":"x"}]`, "message 1")
	for _, f := range fieldNames {
		other := `"from":"x"`
		if f == "from" {
			other = `"to":"x"`
		}
		for _, v := range []string{`1`, `1.5`, `true`, `false`, `[]`, `["x"]`, `{}`, `{"a":"b"}`} {
			add(f+" is "+v, `[{"from":"a","to":"b"},{"`+f+`":`+v+`,`+other+`}]`, f, "message 2")
		}
		add(f+" twice", `[{"from":"a","to":"b"},{`+other+`,"`+f+`":"x","`+f+`":"x"}]`, f, "message 2")
	}
	with("an object", `"p":{"a":1}`, "p")
	with("an empty object", `"p":{}`, "p")
	with("an array in an array", `"p":[["a"]]`, "p")
	with("an empty array in an array", `"p":["a",[]]`, "p")
	with("an object in an array", `"p":["a",{}]`, "p")
	with("a property twice", `"p":1,"p":2`, "p")
	with("a property twice, the same", `"p":1,"q":2,"p":1`, "p")
	with("a property twice, null", `"p":null,"p":1`, "p")
	with("a property twice, in escapes", `"p":1,"\u0070":1`, "p")
	with("a field twice, in escapes", `"b\u006fdy":"x"`, "body")
	for _, v := range []string{"01", "+1", ".5", "1.", "-", "1e", "1e+", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "١", "True", "nil", "undefined", "'x'", "x", ""} {
		add("value "+v, `{"body":"x","p":`+v+`}`)
	}
	for _, v := range []string{`\x41`, `\u12`, `\u12g4`, `\'`, `\`, "a\nb", "a\tb", "a\x00b", "a\x01b", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe9", "caf\xc3"} {
		add(fmt.Sprintf("text %q", v), `{"body":"`+v+`"}`)
		add(fmt.Sprintf("property %q", v), `{"body":"x","p":"`+v+`"}`)
		add(fmt.Sprintf("key %q", v), `{"body":"x","`+v+`":1}`)
	}
	for _, v := range []string{
		`null`, `true`, `1`, `"x"`, `[null]`, `[1]`, `["x"]`, `[true]`, `[[]]`, `[[{"body":"x"}]]`, `[{"body":"x"},null]`, `[{"body":"x"},[]]`,
		`[{"body":"x"},]`, `[,{"body":"x"}]`, `[{"body":"x",}]`, `[{"body":"x"} {"body":"y"}]`, `[{"body" "x"}]`, `[{"body":"x"}`, `{"body":"x"}]`, `[{"body":"x"}}`,
		`[] x`, `[]]`, `[][]`, `[] []`, `{"body":"x"}{"body":"y"}`, "{\"body\":\"x\"}\n{\"body\":\"y\"}", `[{"body":"x"}] x`, `[{"body":"x"}],`, `[{"body":"x"}]"`, "[{\"body\":\"x\"}]\x00", `{"body":"x"} // done`, `{"body":"x"}<messages/>`,
		`{'body':'x'}`, `{body:"x"}`, `{"body":"x" /* c */}`, `// c` + "\n[]", `{1:"x","body":"x"}`, `{"body":"x";"p":1}`, `{"body"="x"}`, `{,"body":"x"}`, `{"body":"x","p"}`, `{"body":"x",:1}`, "[\u00a0{\"body\":\"x\"}]", "[\x0b{\"body\":\"x\"}]",
	} {
		add(v, v)
	}
	add("deep arrays", strings.Repeat("[", 100000))
	add("deep arrays, closed", strings.Repeat("[", 100000)+strings.Repeat("]", 100000))
	add("deep objects", strings.Repeat(`{"a":`, 50000)+"1"+strings.Repeat("}", 50000))
	add("deep property", `{"body":"x","p":`+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)+`}`)
	add("UTF-16", "\xff\xfe[\x00{\x00\"\x00b\x00\"\x00:\x001\x00}\x00]\x00")
	runRefusals(t, a, b, cases)

	t.Run("a byte order mark", func(t *testing.T) { // RFC 8259: may be ignored, or be an error
		path := newChannel()
		got := do(t, "POST", a.URL+path, "\xef\xbb\xbf"+oneJSON, typeJSON)
		if got.Status == 200 {
			stored(t, got, "json", 1, 0)
			wantIDs(t, pull(t, b, path), "1")
		} else {
			refused(t, got, bad)
		}
	})
}

// Whatever is cut off is refused, and nothing of it is in the queue.
func testJSONTruncated(t *testing.T, a, b *replica) {
	whole := `[{"id":"1","from":"ä","body":"x\ud83d\ude00"},{"id":"2","body":"y","p":[1.5,true,null,"z"],"q":-12}]`
	whole = strings.Replace(whole, "null,", "", 1)
	path := newChannel()
	for i := range len(whole) {
		refused(t, do(t, "POST", a.URL+path, whole[:i], typeJSON), only(400))
		if t.Failed() {
			t.Fatalf("of %q", whole[:i])
		}
	}
	empty(t, b, path)
	stored(t, do(t, "POST", a.URL+path, whole, typeJSON), "json", 2, 0)
	wantIDs(t, pull(t, b, path), "1 2")
}
