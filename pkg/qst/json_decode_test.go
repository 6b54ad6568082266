package qst

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// str, num, boolean and list make properties.
func str(name, text string) Property {
	return Property{Name: name, Values: []Value{{Text: text}}}
}

func num(name, digits string) Property {
	return Property{Name: name, Values: []Value{{Kind: Number, Text: digits}}}
}

func boolean(name, text string) Property {
	return Property{Name: name, Values: []Value{{Kind: Bool, Text: text}}}
}

func list(name string, values ...Value) Property {
	return Property{Name: name, Values: values, Array: true}
}

func props(ps ...Property) []Message {
	return []Message{{To: "1", Properties: ps}}
}

// checkError checks an error's kind and its whole text.
func checkError(t *testing.T, err, kind error, text string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", text)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is a %T, not an *Error", err, err)
	}
	if !errors.Is(err, kind) {
		t.Errorf("error %v is of kind %v, want %v", err, e.kind, kind)
	}
	if err.Error() != text {
		t.Errorf("error\n got %s\nwant %s", err, text)
	}
}

func TestDecodeJSON(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []Message
	}{
		{"empty batch", ` [ ] `, nil},
		{"all fields", `[{"id":"i","from":"f","to":"t","when":"w","subject":"s","body":"b"}]`,
			[]Message{{ID: "i", From: "f", To: "t", When: "w", Subject: "s", Body: "b"}}},
		{"bare object", "\t\r\n{\"body\":\"b\"}\n", []Message{{Body: "b"}}},
		{"several", `[{"to":"1"},{"to":"2"} , {"to":"3"}]`, []Message{{To: "1"}, {To: "2"}, {To: "3"}}},
		{"byte order mark", "\uFEFF[{\"to\":\"1\"}]", []Message{{To: "1"}}},
		{"byte order mark in a text", "[{\"to\":\"\uFEFF1\"}]", []Message{{To: "\uFEFF1"}}},
		{"second 83", `{"to":"1","when":"2010-01-01T23:18:83Z"}`, []Message{{To: "1", When: "2010-01-01T23:18:83Z"}}},
		{"present and empty", `{"to":"1","id":"","when":"","subject":"","body":"","from":""}`,
			[]Message{{To: "1", Present: FieldID | FieldFrom | FieldWhen | FieldSubject | FieldBody}}},
		{"null fields", `{"to":"1","id":null,"when":null,"body" : null}`, []Message{{To: "1"}}},
		{"null property", `{"to":"1","p":null,"q":"2"}`, props(str("q", "2"))},
		{"null property in one message, not in the next", `[{"to":"1","q":null},{"to":"1","q":"2"}]`, append([]Message{{To: "1"}}, props(str("q", "2"))...)},
		{"name too long, but null", `{"to":"1","` + strings.Repeat("n", 257) + `":null}`, []Message{{To: "1"}}},
		{"scalars", `{"to":"1","s":"x","n":-1.50E+07,"t":true,"f":false,"e":""}`,
			props(str("s", "x"), num("n", "-1.50E+07"), boolean("t", "true"), boolean("f", "false"), str("e", ""))},
		{"numbers keep their digits", `{"to":"1","a":12345678901234567890,"b":1.10,"c":-0,"d":0e0,"e":1E400}`,
			props(num("a", "12345678901234567890"), num("b", "1.10"), num("c", "-0"), num("d", "0e0"), num("e", "1E400"))},
		{"arrays", `{"to":"1","a":["x",1,true,""],"b":[ ],"c":["y"]}`,
			props(list("a", Value{Text: "x"}, Value{Number, "1"}, Value{Bool, "true"}, Value{}), list("b"), list("c", Value{Text: "y"}))},
		{"empty key", `{"to":"1","":"x"}`, props(str("", "x"))},
		{"keys are case-sensitive", `{"to":"1","To":"x","ID":"y"}`, props(str("To", "x"), str("ID", "y"))},
		{"escaped key of a field", `{"\u0074o":"1"}`, []Message{{To: "1"}}},
		{"escapes", `{"to":"\"\\\/\b\f\n\r\t\u00e9\u20AC"}`, []Message{{To: "\"\\/\b\f\n\r\té€"}}},
		{"escapes between text", `{"to":"a\nb\tc"}`, []Message{{To: "a\nb\tc"}}},
		{"escaped key and value", `{"to":"1","a\nb":"c\td"}`, props(str("a\nb", "c\td"))},
		{"U+0000 and C0", `{"to":"\u0000\u0001\u001f\u007f"}`, []Message{{To: "\x00\x01\x1f\x7f"}}},
		{"surrogate pair", `{"to":"\ud83d\ude00\uDBFF\uDFFF"}`, []Message{{To: "😀\U0010FFFF"}}},
		{"lone surrogates", `{"to":"\ud83d","from":"\ude00x","body":"\ud83d\ud83d\ude00","subject":"\ud83d\u0041"}`,
			[]Message{{To: "\uFFFD", From: "\uFFFDx", Body: "\uFFFD😀", Subject: "\uFFFDA"}}},
		{"swapped surrogates", `{"to":"\ude00\ud83d"}`, []Message{{To: "\uFFFD\uFFFD"}}},
		{"noncharacters", `{"to":"\ufffe\uffff"}`, []Message{{To: "\uFFFE\uFFFF"}}},
		{"line separators", "{\"to\":\"\u2028\u2029\u0085\"}", []Message{{To: "\u2028\u2029\u0085"}}},
		{"white space kept", `{"to":" 1 ","body":"  \n\t "}`, []Message{{To: " 1 ", Body: "  \n\t "}}},
		{"only a body of white space", `{"body":" "}`, []Message{{Body: " "}}},
		{"__proto__ is a name like any", `{"to":"1","__proto__":"x"}`, props(str("__proto__", "x"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(JSON, "", []byte(test.body), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestDecodeJSONErrors(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{"", `the body is empty`},
		{" \n", `the body is empty`},
		{"\uFEFF", `the body is empty`},

		{`null`, `expected an array of messages, or one message, found "n" (line 1, column 1)`},
		{`"x"`, `expected an array of messages, or one message, found "\"" (line 1, column 1)`},
		{`<messages/>`, `expected an array of messages, or one message, found "<" (line 1, column 1)`},
		{"\uFEFF\uFEFF[]", `expected an array of messages, or one message, found "\ufeff" (line 1, column 1)`},
		{`[`, `message 1: expected an object, found the end (line 1, column 2)`},
		{`[{"to":"1"}`, `message 1: expected , or ] after the message, found the end (line 1, column 12)`},
		{`[{"to":"1"} {"to":"1"}]`, `message 1: expected , or ] after the message, found "{" (line 1, column 13)`},
		{`[{"to":"1"},]`, `message 2: expected an object, found "]" (line 1, column 13)`},
		{`[,{"to":"1"}]`, `message 1: expected an object, found "," (line 1, column 2)`},
		{`[]x`, `unexpected "x" after the end (line 1, column 3)`},
		{`[] []`, `unexpected "[" after the end (line 1, column 4)`},
		{`{"to":"1"}{"to":"2"}`, `unexpected "{" after the end (line 1, column 11)`},
		{"[]\x00", `unexpected "\x00" after the end (line 1, column 3)`},
		{"[]\v", `unexpected "\v" after the end (line 1, column 3)`},

		{`[{"to":"1"},null]`, `message 2: is null, not an object`},
		{`["x"]`, `message 1: is a string, not an object`},
		{`[1]`, `message 1: is a number, not an object`},
		{`[true]`, `message 1: is a boolean, not an object`},
		{`[[{"to":"1"}]]`, `message 1: is an array, not an object`},

		{`{id: "1"}`, `message 1: expected a key in double quotes, found "i" (line 1, column 2)`},
		{`{'id': "1"}`, `message 1: expected a key in double quotes, found "'" (line 1, column 2)`},
		{`{"to" "1"}`, `message 1: expected : after a key, found "\"" (line 1, column 7)`},
		{`{"to":"1",}`, `message 1: expected a key in double quotes, found "}" (line 1, column 11)`},
		{`{"to":"1" "id":"2"}`, `message 1: expected , or } after a value, found "\"" (line 1, column 11)`},
		{"[\n{\"to\":\"1\"},\r\n\r{\"é\":  x}]", `message 2: expected a value for property "é", found "x" (line 4, column 8)`},

		{`{"to":1}`, `message 1: "to" is a number, not a string`},
		{`{"to":true}`, `message 1: "to" is a boolean, not a string`},
		{`{"to":["1"]}`, `message 1: "to" is an array, not a string`},
		{`{"to":{}}`, `message 1: "to" is an object, not a string`},
		{`{"to":}`, `message 1: expected a string as "to", found "}" (line 1, column 7)`},
		{`{"to":nul}`, `message 1: expected null, found "}" (line 1, column 10)`},

		{`[{"to":"1"},{"to":"1","to":"1"}]`, `message 2: key "to" appears twice`},
		{`{"to":null,"to":"1"}`, `message 1: key "to" appears twice`},
		{`{"to":"1","to":null}`, `message 1: key "to" appears twice`},
		{`{"to":"1","\u0074\u006f":"1"}`, `message 1: key "to" appears twice`},
		{`{"to":"1","p":1,"q":1,"p":1}`, `message 1: key "p" appears twice`},
		{`{"to":"1","p":1,"p":null}`, `message 1: key "p" appears twice`},
		{`{"to":"1","p":null,"p":1}`, `message 1: key "p" appears twice`},
		{`{"to":"1","p":null,"\u0070":null}`, `message 1: key "p" appears twice`},
		{`{"to":"1","p":[],"p":[]}`, `message 1: key "p" appears twice`},
		{`{"to":"1","":1,"":1}`, `message 1: key "" appears twice`},

		{`{"to":"1","p":{}}`, `message 1: property "p" is an object`},
		{`{"to":"1","p":[[]]}`, `message 1: property "p" has an array in its array`},
		{`{"to":"1","p":[{}]}`, `message 1: property "p" has an object in its array`},
		{`{"to":"1","p":[1,null]}`, `message 1: property "p" has null in its array`},
		{`{"to":"1","p":[1,]}`, `message 1: expected a value for property "p", found "]" (line 1, column 18)`},
		{`{"to":"1","p":[1 2]}`, `message 1: expected , or ] in the array of property "p", found "2" (line 1, column 18)`},
		{`{"to":"1","p":tru}`, `message 1: expected true, found "}" (line 1, column 18)`},
		{`{"to":"1","p":trueish}`, `message 1: expected , or } after a value, found "i" (line 1, column 19)`},
		{`{"to":"1","p":True}`, `message 1: expected a value for property "p", found "T" (line 1, column 15)`},
		{`{"to":"1","p":NaN}`, `message 1: expected a value for property "p", found "N" (line 1, column 15)`},

		{`{"to":"1","p":01}`, `message 1: a number must not begin with 0 (line 1, column 16)`},
		{`{"to":"1","p":-01}`, `message 1: a number must not begin with 0 (line 1, column 17)`},
		{`{"to":"1","p":-}`, `message 1: expected a digit, found "}" (line 1, column 16)`},
		{`{"to":"1","p":+1}`, `message 1: expected a value for property "p", found "+" (line 1, column 15)`},
		{`{"to":"1","p":.5}`, `message 1: expected a value for property "p", found "." (line 1, column 15)`},
		{`{"to":"1","p":1.}`, `message 1: expected a digit, found "}" (line 1, column 17)`},
		{`{"to":"1","p":1e}`, `message 1: expected a digit, found "}" (line 1, column 17)`},
		{`{"to":"1","p":1e+}`, `message 1: expected a digit, found "}" (line 1, column 18)`},
		{`{"to":"1","p":0x10}`, `message 1: expected , or } after a value, found "x" (line 1, column 16)`},

		{`{"to":"1`, `message 1: a string does not end (line 1, column 9)`},
		{`{"to":"1\`, `message 1: the end after \ is no escape sequence (line 1, column 10)`},
		{`{"to":"\x41"}`, `message 1: "x" after \ is no escape sequence (line 1, column 9)`},
		{`{"to":"\'"}`, `message 1: "'" after \ is no escape sequence (line 1, column 9)`},
		{`{"to":"\U0041"}`, `message 1: "U" after \ is no escape sequence (line 1, column 9)`},
		{`{"to":"\0"}`, `message 1: "0" after \ is no escape sequence (line 1, column 9)`},
		{`{"to":"\v"}`, `message 1: "v" after \ is no escape sequence (line 1, column 9)`},
		{`{"to":"\u00g0"}`, `message 1: \u must be followed by four hexadecimal digits (line 1, column 10)`},
		{`{"to":"\u12"}`, `message 1: \u must be followed by four hexadecimal digits (line 1, column 10)`},
		{`{"to":"\ud800\u12"}`, `message 1: \u must be followed by four hexadecimal digits (line 1, column 16)`},
		{`{"to":"\u12`, `message 1: \u must be followed by four hexadecimal digits (line 1, column 10)`},
		{"{\"to\":\"a\nb\"}", `message 1: control character U+000A in a string must be escaped (line 1, column 9)`},
		{"{\"to\":\"\t\"}", `message 1: control character U+0009 in a string must be escaped (line 1, column 8)`},
		{"{\"to\":\"\x00\"}", `message 1: control character U+0000 in a string must be escaped (line 1, column 8)`},
		{"{\"t\x1fo\":\"\"}", `message 1: control character U+001F in a string must be escaped (line 1, column 4)`},

		{"[{\"to\":\"1\"},{\"to\":\"é\xff\"}]", `message 2: invalid UTF-8 (line 1, column 21)`},
		{"[{\"to\":\"\xed\xa0\x80\"}]", `message 1: invalid UTF-8 (line 1, column 9)`},
		{"[{\"to\":\"\xc0\xaf\"}]", `message 1: invalid UTF-8 (line 1, column 9)`},
		{"[{\"t\xe9\":\"\"}]", `message 1: invalid UTF-8 (line 1, column 5)`},
		{"[{\"to\":\"1\",\"p\":1\xff}]", `message 1: invalid UTF-8 (line 1, column 17)`},
		{"[{\"to\":\"1\"}]\xff", `invalid UTF-8 (line 1, column 13)`},
		{"\xff", `invalid UTF-8 (line 1, column 1)`},
		{"\xfe\xff\x00[\x00]", `invalid UTF-8 (line 1, column 1)`},
		{"[{\"to\":1},{\"to\":\"\xff\"}]", `message 1: "to" is a number, not a string`},

		{`{}`, `message 1: has none of from, to, subject, body`},
		{`[{"to":"1"},{"id":"1","when":"now","p":1}]`, `message 2: has none of from, to, subject, body`},
		{`{"to":"","from":"","subject":"","body":""}`, `message 1: has none of from, to, subject, body`},
		{`{"to":null,"body":""}`, `message 1: has none of from, to, subject, body`},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			msgs, err := Decode(JSON, "", []byte(test.body), Limits{})
			checkError(t, err, ErrMalformed, test.want)
			if msgs != nil {
				t.Errorf("%d messages with an error", len(msgs))
			}
		})
	}
}

func TestDecodeJSONIgnoresCharset(t *testing.T) {
	for _, charset := range []string{"iso-8859-1", "utf-16", "no-such-charset"} {
		msgs, err := Decode(JSON, charset, []byte(`{"to":"é"}`), Limits{})
		if err != nil || msgs[0].To != "é" {
			t.Errorf("charset %s: %v, %v", charset, msgs, err)
		}
	}
}
