package qst

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestEncode(t *testing.T) {
	text := func(s string) Message { return Message{To: s, Body: s, Properties: []Property{str(s, s)}} }
	for _, test := range []struct {
		name                 string
		msg                  Message
		json, canonical, xml string // canonical "": as json
	}{
		{"all fields", Message{ID: "i", From: "f", To: "t", When: "w", Subject: "s", Body: "b"},
			`{"id":"i","from":"f","to":"t","when":"w","subject":"s","body":"b"}`, "",
			`<message id="i" from="f" to="t" when="w"><subject>s</subject><body>b</body></message>`},
		{"no child elements", Message{To: "t"}, `{"to":"t"}`, "", `<message to="t"/>`},
		{"nothing", Message{}, `{}`, "", `<message/>`},
		{"present and empty", Message{Present: FieldID | FieldFrom | FieldTo | FieldWhen | FieldSubject | FieldBody},
			`{"id":"","from":"","to":"","when":"","subject":"","body":""}`, "",
			`<message id="" from="" to="" when=""><subject/><body/></message>`},
		{"present bit of a field with text", Message{To: "t", Present: FieldTo}, `{"to":"t"}`, "", `<message to="t"/>`},
		{"kinds", Message{Properties: []Property{str("s", "x"), num("n", "1.10"), boolean("b", "true")}},
			`{"s":"x","n":1.10,"b":true}`, "",
			`<message><property name="s" value="x"/><property name="n" value="1.10"/><property name="b" value="true"/></message>`},
		{"arrays", Message{Properties: []Property{list("a", Value{Text: "x"}, Value{Number, "2"}), list("b"), list("c", Value{Text: "y"})}},
			`{"a":["x",2],"b":[],"c":["y"]}`, "",
			`<message><property name="a" value="x"/><property name="a" value="2"/><property name="c" value="y"/></message>`},
		{"repeated names", Message{Properties: []Property{str("a", "1"), str("b", "2"), str("a", "3"), str("c", "4"), str("a", "5")}},
			`{"a":["1","3","5"],"b":"2","c":"4"}`, `{"a":"1","b":"2","a":"3","c":"4","a":"5"} `,
			`<message><property name="a" value="1"/><property name="b" value="2"/><property name="a" value="3"/><property name="c" value="4"/><property name="a" value="5"/></message>`},
		{"arrays and values of one name", Message{Properties: []Property{list("a"), str("a", "1"), list("a"), list("a", Value{Number, "2"}, Value{Bool, "true"})}},
			`{"a":["1",2,true]}`, `{"a":[],"a":"1","a":[],"a":[2,true]} `,
			`<message><property name="a" value="1"/><property name="a" value="2"/><property name="a" value="true"/></message>`},

		{"markup", text(`<a b="c">&'</a>]]>`),
			`{"to":"<a b=\"c\">&'</a>]]>","body":"<a b=\"c\">&'</a>]]>","<a b=\"c\">&'</a>]]>":"<a b=\"c\">&'</a>]]>"}`, "",
			`<message to="&lt;a b=&quot;c&quot;&gt;&amp;'&lt;/a&gt;]]&gt;"><body>&lt;a b="c"&gt;&amp;'&lt;/a&gt;]]&gt;</body>` +
				`<property name="&lt;a b=&quot;c&quot;&gt;&amp;'&lt;/a&gt;]]&gt;" value="&lt;a b=&quot;c&quot;&gt;&amp;'&lt;/a&gt;]]&gt;"/></message>`},
		{"white space", text(" \t\r\n "),
			`{"to":" \t\r\n ","body":" \t\r\n "," \t\r\n ":" \t\r\n "}`, "",
			"<message to=\" &#x9;&#xD;&#xA; \"><body> \t&#xD;\n </body><property name=\" &#x9;&#xD;&#xA; \" value=\" &#x9;&#xD;&#xA; \"/></message>"},
		{"control characters", text("a\x00\x01\b\f\x1f\x7fz"),
			`{"to":"a\u0000\u0001\b\f\u001f` + "\x7f" + `z","body":"a\u0000\u0001\b\f\u001f` + "\x7f" + `z","a\u0000\u0001\b\f\u001f` + "\x7f" + `z":"a\u0000\u0001\b\f\u001f` + "\x7f" + `z"}`, "",
			"<message to=\"a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x7fz\"><body>a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x7fz</body>" +
				"<property name=\"a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x7fz\" value=\"a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x7fz\"/></message>"},
		{"noncharacters", Message{Body: "a\uFFFE\uFFFFz"}, "{\"body\":\"a\uFFFE\uFFFFz\"}", "", "<message><body>a\uFFFD\uFFFDz</body></message>"},
		{"invalid UTF-8", Message{Body: "a\xff\xed\xa0\x80z\xc3"}, "{\"body\":\"a\uFFFD\uFFFD\uFFFD\uFFFDz\uFFFD\"}", "",
			"<message><body>a\uFFFD\uFFFD\uFFFD\uFFFDz\uFFFD</body></message>"},
		{"beyond ASCII", Message{Body: "é€😀\u2028\u0085\uFEFF\uFFFD"}, "{\"body\":\"é€😀\u2028\u0085\uFEFF\uFFFD\"}", "",
			"<message><body>é€😀\u2028\u0085\uFEFF\uFFFD</body></message>"},

		// What no decoder makes is no reason to write what no decoder takes.
		{"numbers that are none", Message{Properties: []Property{num("a", "01"), num("b", "1."), num("c", ""), num("d", "1 "), num("e", "-"), num("f", "1e"), num("g", "\"")}},
			`{"a":"01","b":"1.","c":"","d":"1 ","e":"-","f":"1e","g":"\""}`, "",
			`<message><property name="a" value="01"/><property name="b" value="1."/><property name="c" value=""/><property name="d" value="1 "/>` +
				`<property name="e" value="-"/><property name="f" value="1e"/><property name="g" value="&quot;"/></message>`},
		{"booleans that are none", Message{Properties: []Property{boolean("a", "True"), boolean("b", "")}}, `{"a":"True","b":""}`, "",
			`<message><property name="a" value="True"/><property name="b" value=""/></message>`},
		{"several values, but no array", Message{Properties: []Property{{Name: "a", Values: []Value{{}, {}}}, {Name: "b"}}}, `{"a":["",""],"b":[]}`, "",
			`<message><property name="a" value=""/><property name="a" value=""/></message>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.canonical == "" {
				test.canonical = test.json
			}
			check := func(what, got, want string) {
				if got != want {
					t.Errorf("%s\n got %s\nwant %s", what, got, want)
				}
			}
			two := []Message{test.msg, test.msg}
			check("canonical", string(test.msg.AppendCanonical([]byte("x"))), "x"+test.canonical)
			check("JSON", string(AppendJSON([]byte("x"), two)), "x["+test.json+","+test.json+"]")
			check("XML", string(AppendXML([]byte("x"), two)), "x<messages>"+test.xml+test.xml+"</messages>")
			check("JSON", string(Append(nil, JSON, two)), string(AppendJSON(nil, two)))
			check("XML", string(Append(nil, XML, two)), string(AppendXML(nil, two)))
			if !json.Valid(test.msg.AppendCanonical(nil)) {
				t.Error("canonical form is no JSON")
			}
		})
	}
	if got := string(AppendJSON(nil, nil)); got != "[]" {
		t.Errorf("empty batch: %s", got)
	}
	if got := string(AppendXML(nil, nil)); got != "<messages/>" {
		t.Errorf("empty batch: %s", got)
	}
}

func TestKindString(t *testing.T) {
	if got := fmt.Sprint(String, Number, Bool); got != "string number boolean" {
		t.Error(got)
	}
}

func TestHas(t *testing.T) {
	m := Message{To: "t", Subject: "s", Present: FieldBody}
	for f, want := range map[Fields]bool{
		FieldID: false, FieldFrom: false, FieldTo: true, FieldWhen: false, FieldSubject: true, FieldBody: true,
		FieldTo | FieldBody: true, FieldTo | FieldID: false, 0: true,
	} {
		if m.Has(f) != want {
			t.Errorf("Has(%b) = %v", f, !want)
		}
	}
}
