package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// batch is an XML batch of one message with this in its body.
func bodyXML(inner string) string {
	return `<messages><message id="1"><body>` + inner + `</body></message></messages>`
}

// messageXML is an XML batch of one message with these attributes and elements.
func messageXML(attributes, elements string) string {
	return `<messages><message ` + attributes + `>` + elements + `</message></messages>`
}

func testXMLMessages(t *testing.T, a, b *replica) {
	body := func(name, inner, want string) trip {
		return trip{name, typeXML, bodyXML(inner), `[{"id":"1","body":"` + want + `"}]`}
	}
	x := func(name, attributes, elements, want string) trip {
		return trip{name, typeXML, messageXML(attributes, elements), `[` + want + `]`}
	}
	runTrips(t, a, b, []trip{
		{"the wiki's example mended", typeXML, `<messages> <message id="24c287Ba-9007-4280-99aa-66e0baa69f5a" from="sms://838383" to="twitter://foo" when="2010-01-01T23:18:83Z"> <subject>asdfa</subject> <body>asfasdf</body> <property name="custom-property" value="foo" /> <property name="another-property" value="123" /> </message> </messages>`,
			`[{"id":"24c287Ba-9007-4280-99aa-66e0baa69f5a","from":"sms://838383","to":"twitter://foo","when":"2010-01-01T23:18:83Z","subject":"asdfa","body":"asfasdf","custom-property":"foo","another-property":"123"}]`},
		{"declaration, comments, instructions", typeXML, "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\r\n<!-- a --><?p i?>\n<messages><!-- <message/> --><?p i?>\n<message id='1'><!-- b --><body>x</body><?p?></message>\n<!-- c --></messages>\n<!-- d --><?p i?>\n\n", `[{"id":"1","body":"x"}]`},
		{"application/xml", "Content-Type: application/xml", bodyXML("x"), `[{"id":"1","body":"x"}]`},
		{"two messages", typeXML, "<messages>\n<message id='1' from='a'/>\n<message id='2' to='b'></message></messages>", `[{"id":"1","from":"a"},{"id":"2","to":"b"}]`},
		x("only from", `id="1" from="a"`, ``, `{"id":"1","from":"a"}`),
		x("only to", `id="1" to="a"`, ``, `{"id":"1","to":"a"}`),
		x("only subject", `id="1"`, `<subject>a</subject>`, `{"id":"1","subject":"a"}`),
		x("no id", ``, `<body>a</body>`, `{"body":"a"}`),
		x("an empty id", `id=""`, `<body>a</body>`, `{"body":"a"}`),
		x("when is no time", `id="1" when="now"`, `<body>a</body>`, `{"id":"1","when":"now","body":"a"}`),
		x("other order", `to="b" from="a" id="1"`, `<property name="p" value="1"/><body>x</body><property name="q" value="2"/><subject>s</subject>`, `{"id":"1","from":"a","to":"b","subject":"s","body":"x","p":"1","q":"2"}`),
		x("a name twice", `id="1"`, `<body>x</body><property name="p" value="a"/><property name="p" value="b"/><property name="q" value="c"/>`, `{"id":"1","body":"x","p":["a","b"],"q":"c"}`),
		x("the same name and value twice", `id="1"`, `<body>x</body><property name="p" value="a"/><property name="p" value="a"/>`, `{"id":"1","body":"x","p":["a","a"]}`),
		x("values stay text", `id="1"`, `<body>x</body><property name="p" value="1.10"/><property name="q" value="true"/><property name="r" value="null"/><property name="s" value=""/><property name="t" value="[1]"/>`, `{"id":"1","body":"x","p":"1.10","q":"true","r":"null","s":"","t":"[1]"}`),
		x("property order", `id="1"`, `<body>x</body><property value="1" name="z"/><property name="a" value="2"></property><property name="10" value="3"/><property name="9" value="4"/>`, `{"id":"1","body":"x","z":"1","a":"2","10":"3","9":"4"}`),
		x("names in capitals are properties", `id="1"`, `<body>x</body><property name="Body" value="1"/><property name="ID" value="2"/>`, `{"id":"1","body":"x","Body":"1","ID":"2"}`),
		x("names of any form", `id="1"`, `<body>x</body><property name="a b" value="1"/><property name="&lt;&amp;&quot;&#10;&#9;" value="2"/><property name="ä&#x1F600;" value="3"/><property name="text" value="4"/>`, `{"id":"1","body":"x","a b":"1","<&\"\n\t":"2","ä😀":"3","text":"4"}`),
		x("references in attributes", `id="&#49;" from="a&#13;&#10;b&#9;c" to='&apos;&quot;"&lt;&gt;&amp;'`, `<body>x</body><property name="p" value=" &#10; "/>`, `{"id":"1","from":"a\r\nb\tc","to":"'\"\"<>&","body":"x","p":" \n "}`),
		x("no markup twice", `id="1" from="&amp;amp;"`, `<body>&amp;lt;b&amp;gt;</body>`, `{"id":"1","from":"&amp;","body":"&lt;b&gt;"}`),

		body("white space", "  x \t \n\n y  ", `  x \t \n\n y  `), body("only white space", "   ", `   `), body("a line end in front", "\nx\n", `\nx\n`),
		body("CR LF by reference", "a&#13;&#10;b&#xD;&#xa;", `a\r\nb\r\n`), body("CR by reference", "a&#13;b", `a\rb`),
		body("predefined entities", "&lt;&gt;&amp;&quot;&apos;", `<>&\"'`), body("references", "&#228;&#xe4;&#x1F600;&#128512;&#x10FFFD;", `ää😀😀\udbff\udffd`),
		body("CDATA", "<![CDATA[a<b>&amp;&c;]]>", `a<b>&amp;&c;`), body("text and CDATA", "1 <![CDATA[ <2> ]]> 3<![CDATA[]]>", `1  <2>  3`), body("CDATA's own end", "<![CDATA[a]]]]><![CDATA[>b]]>", `a]]>b`),
		body("a comment within", "a<!-- <b> & -->b", `ab`), body("an instruction within", "a<?p i?>b", `ab`),
		body("C1 and line separators", "a&#x85;&#x2028;&#x7f;b", `a\u0085\u2028\u007fb`), body("emoji", "😀é\u0301", `😀é\u0301`), body("quotes", `"'`, `\"'`), body("right to left", "\u202eאב", "\u202eאב"),
	})
	long := strings.Repeat("lang und länger ", 2000)
	body("long text", long, long).run(t, a, b)
	t.Run("line ends as an XML parser reads them, or as sent", func(t *testing.T) {
		path := newChannel()
		stored(t, do(t, "POST", a.URL+path, bodyXML("a\r\nb\rc"), typeXML), "xml", 1, 0)
		if got := pull(t, b, path).messages(t)[0]["body"]; got != "a\nb\nc" && got != "a\r\nb\rc" {
			t.Errorf("body %q", got)
		}
	})
	for _, c := range []string{`<messages/>`, `<messages></messages>`, "<messages>\n <!-- none -->\n</messages>", `<?xml version="1.0"?><messages />`} {
		t.Run("empty "+c, func(t *testing.T) {
			path := newChannel()
			stored(t, do(t, "POST", a.URL+path, c, typeXML), "xml", 0, 0)
			empty(t, b, path)
		})
	}
}

// What the contract leaves open may be taken or refused, but is never an error of
// the server, and never takes something else than was sent.
func testXMLUndecided(t *testing.T, a, b *replica) {
	for _, c := range []struct{ name, body, want string }{
		{"text between messages", `<messages>hello<message id="1"><body>x</body></message></messages>`, "x"},
		{"text in a message", messageXML(`id="1"`, `hello<body>x</body>`), "x"},
		{"text in a property", messageXML(`id="1"`, `<body>x</body><property name="p" value="v">text</property>`), "x"},
		{"a default namespace", `<messages xmlns="urn:x"><message id="1"><body>x</body></message></messages>`, "x"},
		{"a declared prefix", `<q:messages xmlns:q="urn:x"><q:message id="1"><q:body>x</q:body></q:message></q:messages>`, "x"},
		{"xml:space", messageXML(`id="1" xml:space="preserve"`, `<body>x</body>`), "x"},
		{"xml:lang", messageXML(`id="1"`, `<body xml:lang="en">x</body>`), "x"},
		{"a property without a value", messageXML(`id="1"`, `<body>x</body><property name="p"/>`), "x"},
		{"two bodies", messageXML(`id="1"`, `<body>x</body><body>x</body>`), "x"},
		{"]]> in text", bodyXML(`x]]>`), "x]]>"},
		{"XML 1.1", `<?xml version="1.1"?>` + bodyXML("x"), "x"},
		{"a DOCTYPE alone", `<!DOCTYPE messages>` + bodyXML("x"), "x"},
		{"an entity of its own", `<!DOCTYPE messages [<!ENTITY e "x">]>` + bodyXML("&e;"), "x"},
		{"white space before the declaration", ` <?xml version="1.0"?>` + bodyXML("x"), "x"},
		{"-- in a comment", `<!-- a -- b -->` + bodyXML("x"), "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newChannel()
			got := do(t, "POST", a.URL+path, c.body, typeXML)
			if got.Status != http.StatusOK {
				refused(t, got, only(400))
				empty(t, b, path)
				t.Log("refused:", got.Body)
				return
			}
			t.Log("taken")
			stored(t, got, "xml", 1, 0)
			if l := pull(t, b, path).messages(t); l[0]["id"] != "1" || l[0]["body"] != c.want {
				t.Errorf("pulled %v", l)
			}
		})
	}
}

// No entity is loaded from anywhere, and none is expanded into a bomb.
func testExternalEntities(t *testing.T, a, b *replica) {
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		fmt.Fprint(w, `<!ENTITY e "fetched">`)
	}))
	defer s.Close()
	bomb := `<!DOCTYPE messages [<!ENTITY a0 "lol">`
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf(`<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	for _, c := range []struct{ name, body string }{
		{"a file", `<!DOCTYPE messages [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + bodyXML("&e;")},
		{"a file in an attribute", `<!DOCTYPE messages [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + messageXML(`id="1" from="&e;"`, "")},
		{"a URL", `<!DOCTYPE messages [<!ENTITY e SYSTEM "` + s.URL + `/e">]>` + bodyXML("&e;")},
		{"an external subset", `<!DOCTYPE messages SYSTEM "` + s.URL + `/dtd">` + bodyXML("&e;")},
		{"a parameter entity", `<!DOCTYPE messages [<!ENTITY % p SYSTEM "` + s.URL + `/p"> %p;]>` + bodyXML("&e;")},
		{"a public one", `<!DOCTYPE messages PUBLIC "x" "` + s.URL + `/dtd">` + bodyXML("&e;")},
		{"a bomb", bomb + `]>` + bodyXML("&a11;")},
		{"a bomb in an attribute", bomb + `]>` + messageXML(`id="1" from="&a11;"`, "")},
		{"an endless entity", `<!DOCTYPE messages [<!ENTITY e "&f;"><!ENTITY f "&e;">]>` + bodyXML("&e;")},
		{"a quadratic bomb", `<!DOCTYPE messages [<!ENTITY e "` + strings.Repeat("a", 100000) + `">]>` + bodyXML(strings.Repeat("&e;", 100000))},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newChannel()
			got := do(t, "POST", a.URL+path, c.body, typeXML)
			if strings.Contains(got.Body, "root:") {
				t.Errorf("a file of the server: %s", got.Body)
			}
			refused(t, got, []int{400, 413})
			empty(t, b, path)
		})
	}
	t.Run("an inclusion", func(t *testing.T) {
		path := newChannel()
		refused(t, do(t, "POST", a.URL+path, messageXML(`id="1"`, `<body><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="`+s.URL+`"/></body>`), typeXML), only(400))
		empty(t, b, path)
	})
	if n := hits.Load(); n > 0 {
		t.Errorf("the service fetched %d entities", n)
	}
}
