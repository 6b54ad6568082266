package conformance

import (
	"fmt"
	"strings"
)

// jsonTaken is what goes in as JSON, and what has to come out.
func jsonTaken() []Case {
	digits := strings.Repeat("1234567890", 30)

	wiki := about(Wiki, "json/wiki", `When sending and receiving messages in JSON format, the "application/json" content type is used.`)
	wiki.trip("its example, mended", typeJSON,
		`[ { "id": "24c287Ba-9007-4280-99aa-66e0baa69f5a", "from": "sms://838383", "to": "twitter://foo", "when": "2010-01-01T23:18:83Z",
		"subject": "Subject", "body": "Body", "custom-property": "foo", "another-property": 123 } ]`,
		`[{"id":"24c287Ba-9007-4280-99aa-66e0baa69f5a","from":"sms://838383","to":"twitter://foo","when":"2010-01-01T23:18:83Z","subject":"Subject","body":"Body","custom-property":"foo","another-property":123}]`)
	wiki.trip("two messages", typeJSON, "\n[ {\"id\":\"1\",\"body\":\"x\"} ,\r\n\t{\"id\":\"2\",\"body\":\"y\"} ]\n\n", `[{"id":"1","body":"x"},{"id":"2","body":"y"}]`)

	batch := about(Contract, "json/batch", `an array of objects; one bare object is a batch of one`)
	batch.trip("a bare object", typeJSON, ` {"id":"1","body":"x"} `, `[{"id":"1","body":"x"}]`)

	fields := about(Contract, "json/fields", "All fields are optional, but a message with none of `from`, `to`, `subject`, `body`, or with nothing in them, is refused.")
	for _, f := range []string{"from", "to", "subject", "body"} {
		same(fields, "only "+f, `[{"id":"1","`+f+`":"x"}]`)
	}
	fields.trip("null", typeJSON, `[{"id":null,"from":null,"to":null,"when":null,"subject":null,"body":"x"}]`, `[{"body":"x"}]`)
	fields.trip("in another order", typeJSON, `[{"p":1,"body":"x","to":"t","id":"1","q":2,"from":"f"}]`, `[{"id":"1","from":"f","to":"t","body":"x","p":1,"q":2}]`)
	fields.trip("keys in escapes", typeJSON, `[{"\u0069d":"1","b\u006fdy":"x","\u0070":1}]`, `[{"id":"1","body":"x","p":1}]`)

	ids := about(Contract, "json/id", "`id` missing or empty: the server gives the message a UUID (version 7). `when` missing: the time of receipt, RFC 3339, UTC.")
	same(ids, "missing", `[{"body":"x"}]`)
	ids.trip("empty", typeJSON, `[{"id":"","body":"x"}]`, `[{"body":"x"}]`)
	same(ids, "missing in two", `[{"body":"x"},{"body":"x"}]`)
	ids.add("two made up ones differ", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `[{"body":"x"},{"body":"x"}]`)
		if l := t.messages(t.pull(t.b, path)); len(l) != 2 || l[0]["id"] == l[1]["id"] {
			t.errorf("pulled %v", l)
		}
	})
	ids.add("a made up one stays", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `{"body":"x"}`)
		if one, two := t.pull(t.a, path), t.pull(t.b, path); one.Body != two.Body {
			t.errorf("pulled %s, and then %s", one.Body, two.Body)
		}
	})
	same(ids, "of any form", `[{"id":"  ä/?#&\"'<>\u00a0 ","body":"x"}]`)
	same(ids, "of 1000 bytes", `[{"id":"`+strings.Repeat("i", 1000)+`","body":"x"}]`)

	carried := about(Contract, "json/carried", "`when`, `from`, `to` are carried as they came.")
	same(carried, "when is no time", `[{"id":"1","when":"yesterday, or so","body":"x"}]`)
	same(carried, "when has an offset and a fraction", `[{"id":"1","when":"2010-01-01T23:18:03.120000+05:30","body":"x"}]`)
	same(carried, "when is a number in quotes", `[{"id":"1","when":"1262387883","body":"x"}]`)
	same(carried, "from and to are no addresses", `[{"id":"1","from":" nobody  in\tparticular ","to":"<x@y>","body":"x"}]`)
	second := about(Contract, "json/carried", "A `when` that is no valid time (the wiki's own second 83) is not an error: this hop has no need to understand it.")
	same(second, "when has second 83", `[{"id":"1","when":"2010-01-01T23:18:83Z","body":"x"}]`)

	return append(all(wiki, batch, fields, ids, carried, second), jsonProperties(digits)...)
}

// same adds a case of a JSON batch that comes out as it went in.
func same(g *group, name, body string) { g.trip(name, typeJSON, body, body) }

func jsonProperties(digits string) []Case {
	with := func(g *group, name, property string) { same(g, name, `[{"id":"1","body":"x",`+property+`}]`) }

	kinds := about(Contract, "json/property", `A property's JSON value is a string, a number, a boolean or an array of those.`)
	with(kinds, "a string", `"p":"foo"`)
	with(kinds, "an empty string", `"p":""`)
	with(kinds, "true and false", `"t":true,"f":false`)
	with(kinds, "an array of strings", `"p":["a","b","c"]`)
	with(kinds, "an array of one", `"p":["a"]`)
	with(kinds, "an array of one number", `"p":[1.10]`)
	with(kinds, "a mixed array", `"p":["a",1,true,"1",false,1.10]`)
	with(kinds, "an array with the same twice", `"p":["a","a"]`)
	with(kinds, "an array of empty strings", `"p":["",""]`)
	with(kinds, "an array of 60", `"p":[`+strings.TrimSuffix(strings.Repeat(`1,`, 60), ",")+`]`)
	with(kinds, "an empty array", `"p":[]`)

	types := about(Contract, "json/property", `JSON values keep their type when pulled as JSON; in XML they are their text.`)
	with(types, "strings that look like other types", `"p":"1","q":"true","r":"null","s":"[1]","t":"{}"`)

	null := about(Contract, "json/property", "`null` is as if the key were not there (in an array it is not a value: 400).")
	null.trip("null", typeJSON, `[{"id":"1","body":"x","p":null,"q":1}]`, `[{"id":"1","body":"x","q":1}]`)
	null.refusal("null in an array", typeJSON, `[{"body":"x"},{"body":"y"},{"body":"z","p":["a",null]}]`, only(400), "p", "message 3")

	numbers := about(Contract, "json/number", "A number keeps its digits (`12345678901234567890`, `1.10` come out as they went in).")
	for _, n := range []struct{ name, digits string }{
		{"0", "0"},
		{"-0", "-0"},
		{"1.10", "1.10"},
		{"0.0", "0.0"},
		{"0.1000", "0.1000"},
		{"beyond 2^53", "9007199254740993"},
		{"beyond int64", "12345678901234567890"},
		{"beyond float64", "1e400"},
		{"an exponent", "1E+2"},
		{"a small one", "-1.5e-10"},
		{"300 digits", digits},
		{"300 decimals", "0." + digits},
	} {
		with(numbers, n.name, `"p":`+n.digits)
	}
	with(numbers, "in an array", `"p":[1.0,10,1e1,100000000000000000000000]`)

	names := about(Contract, "json/name", `every other key`)
	with(names, "fields in capitals", `"Body":"y","ID":"z","From":"w","WHEN":1,"SUBJECT":true`)
	with(names, "words of the XML form", `"message":"a","messages":"b","property":"c","name":"d","value":"e","text":"f"`)
	with(names, "words of programming languages", `"__proto__":"a","constructor":"b","toString":"c","hasOwnProperty":"d","class":"e"`)
	with(names, "white space and quotes", `"a b":1," lead":2,"trail ":3,"a\"b":4,"a\tb":8,"a\nb\r":9`)
	with(names, "markup", `"<&>":5,"xml:lang":10,"1":11`)
	with(names, "beyond ASCII", `"ä":6,"\ud83d\ude00":7`)
	with(names, "250 bytes", `"`+strings.Repeat("k", 250)+`":"v"`)
	with(names, "equal but for normalisation", `"\u00e9":1,"e\u0301":2`)
	order := about(Contract, "json/name", `Order is kept: messages come out in the order they went in, a batch together, properties in their order.`)
	with(order, "in their order", `"z":1,"a":2,"10":3,"9":4,"m":5,"B":6,"b":7,"0":8`)
	var p []string
	for i := range 60 {
		p = append(p, fmt.Sprintf(`"p%d":"v%d"`, (i*37)%60, i))
	}
	with(order, "60 in their order", strings.Join(p, ","))
	return all(kinds, types, null, numbers, names, order)
}

// jsonText has a text each, as body, subject, sender, id, property and name.
func jsonText() []Case {
	as := func(g *group, texts ...[2]string) {
		for _, c := range texts {
			same(g, c[0], fmt.Sprintf(`[{"id":"%[1]s","from":"%[1]s","to":"%[1]s","when":"%[1]s","subject":"%[1]s","body":"%[1]s","p":"%[1]s","q":["%[1]s","%[1]s"],"k%[1]s":"v"}]`, c[1]))
		}
	}
	exact := about(Contract, "text", `Text is Unicode and arrives as it was sent, white space and line ends included.`)
	as(exact, [][2]string{
		{"white space around", `  x \t \n\n `}, {"only white space", `  `}, {"one LF", `\n`}, {"CR LF", `a\r\nb\r\n`}, {"CR", `a\rb\r`}, {"LF CR", `a\n\rb`}, {"tabs", `\ta\t\tb\t`},
		{"markup", `<b>&amp;</b> &#13; ]]> <![CDATA[x]]> <!-- -->`}, {"quotes", `\"'\"`}, {"backslashes", `\\n \\u0041 \/`},
		{"DEL and C1", `a\u007f\u0080\u0085\u009fb`}, {"line separators", `a\u2028\u2029b`}, {"no-break spaces", `\u00a0x\u3000\ufeff`},
		{"U+FFFD itself", `\ufffd`}, {"a byte order mark within", `a\ufeffb`},
		{"emoji", "\U0001F600\U0001F468\u200D\U0001F469\u200D\U0001F467"}, {"emoji in escapes", `\ud83d\ude00 \uD83D\uDE00`}, {"the last plane", `\udbff\udffd`},
		{"not normalised", "e\u0301 \u00e9 \u212b"}, {"right to left", "\u202eabc\u202c \u05d0\u05d1"}, {"Khmer", "សួស្តី"}, {"Chinese", "中文字符"},
		{"percent and plus", `100%41 + a%20b`}, {"looks like JSON", `{\"a\":[1,null]}`}, {"the word null", `null`},
	}...)
	c0 := about(Contract, "text", `Characters that XML 1.0 cannot carry (U+0000, most of C0) stay exact in JSON and become U+FFFD in XML.`)
	as(c0, [][2]string{
		{"control characters", `a\u0001\u0008\u000b\u000c\u000e\u001f\u001bb`}, {"U+0000", `a\u0000b`}, {"only U+0000", `\u0000`},
		{"noncharacters", `a\ufffe\uffff\ufdd0b`},
	}...)
	lone := about(Contract, "text", `A lone surrogate, which is no character, becomes U+FFFD in both.`)
	as(lone, [][2]string{
		{"a lone high surrogate", `a\ud800b`}, {"a lone low surrogate", `a\udc00b`}, {"surrogates reversed", `\udc00\ud800`},
		{"half a pair, then an escape", `\ud83d\u0041`}, {"a high surrogate at the end", `a\ud83d`},
	}...)
	return all(exact, c0, lone)
}
