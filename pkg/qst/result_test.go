package qst

import "testing"

func TestResult(t *testing.T) {
	for _, r := range []Result{{}, {2, 1}, {1000, 0}} {
		for _, f := range []Format{XML, JSON} {
			got, err := DecodeResult(f, AppendResult(nil, f, r))
			if err != nil || got != r {
				t.Errorf("%v: %v, %v", r, got, err)
			}
		}
	}
	if got, want := string(AppendResult([]byte("x"), JSON, Result{2, 1})), `x{"accepted":2,"duplicates":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(AppendResult([]byte("x"), XML, Result{2, 1})), `x<result accepted="2" duplicates="1"/>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecodeResult(t *testing.T) {
	for _, test := range []struct {
		format Format
		body   string
	}{
		{JSON, " { \"duplicates\" : 1 , \"accepted\" : 2 }\n"},
		{JSON, `{"accepted":2,"duplicates":1,"id":"x","more":["x"],"flag":true,"nothing":null}`},
		{XML, "<?xml version=\"1.0\"?>\n<result duplicates='1' accepted='2' ></result>\n<!-- x -->"},
		{XML, `<result accepted="2" more="x" duplicates="1"/>`},
		{XML, `<result accepted="&#50;" duplicates="1"> <!-- x --> </result>`},
	} {
		if got, err := DecodeResult(test.format, []byte(test.body)); err != nil || got != (Result{2, 1}) {
			t.Errorf("%s: %v, %v", test.body, got, err)
		}
	}
	for _, test := range []struct {
		format     Format
		body, want string
	}{
		{JSON, ``, `expected an object, found the end (line 1, column 1)`},
		{JSON, `[]`, `expected an object, found "[" (line 1, column 1)`},
		{JSON, `{}`, `the result lacks "accepted" or "duplicates"`},
		{JSON, `{"accepted":1}`, `the result lacks "accepted" or "duplicates"`},
		{JSON, `{"accepted":"1","duplicates":0}`, `"accepted" of the result is not a count`},
		{JSON, `{"accepted":[1],"duplicates":0}`, `"accepted" of the result is not a count`},
		{JSON, `{"accepted":1.5,"duplicates":0}`, `"accepted" of the result is not a count`},
		{JSON, `{"accepted":1,"duplicates":-1}`, `"duplicates" of the result is not a count`},
		{JSON, `{"accepted":1,"duplicates":9223372036854775808}`, `"duplicates" of the result is not a count`},
		{JSON, `{"accepted":1,"accepted":1,"duplicates":0}`, `key "accepted" appears twice`},
		{JSON, `{"accepted":1,"duplicates":0}x`, `unexpected "x" after the end (line 1, column 30)`},
		{XML, ``, `the body is empty`},
		{XML, `<result`, `the tag <result> does not end: found the end (line 1, column 8)`},
		{XML, `<result accepted=1/>`, `expected an attribute's value in quotes, found "1" (line 1, column 18)`},
		{XML, `<messages/>`, `the root element is "messages", not <result>`},
		{XML, `<result accepted="1"/>`, `the result lacks "accepted" or "duplicates"`},
		{XML, `<result accepted="" duplicates="1"/>`, `"accepted" of the result is not a count`},
		{XML, `<result accepted="1" duplicates="1" accepted="1"/>`, `the result has "accepted" twice`},
		{XML, `<result accepted="1" duplicates="1">x</result>`, `expected <, found "x" (line 1, column 37)`},
		{XML, `<result accepted="1" duplicates="1"><x/></result>`, `<result> has no element "x"`},
		{XML, `<result accepted="1" duplicates="1"/><x/>`, `unexpected "<" after the root element (line 1, column 38)`},
	} {
		got, err := DecodeResult(test.format, []byte(test.body))
		if got != (Result{}) {
			t.Errorf("%s: result %v", test.body, got)
		}
		checkError(t, err, ErrMalformed, test.want)
	}
}
