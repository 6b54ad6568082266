package conformance

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// xmlRefused is what is no XML batch.
func xmlRefused() []Case {
	bad := only(400)
	none := about(Contract, "xml/refused", "All fields are optional, but a message with none of `from`, `to`, `subject`, `body`, or with nothing in them, is refused.")
	none.refusal("no field", typeXML, messageXML("", ""), bad)
	none.refusal("only an id", typeXML, messageXML(`id="1"`, ""), bad)
	none.refusal("only when", typeXML, messageXML(`when="2010-01-01T23:18:03Z"`, ""), bad)
	none.refusal("only a property", typeXML, messageXML(`id="1"`, `<property name="p" value="v"/>`), bad)
	none.refusal("nothing in any field", typeXML, messageXML(`id="1" from="" to=""`, `<subject/><body></body>`), bad)
	none.refusal("the second has no field", typeXML, `<messages><message from="a"/><message id="2"/></messages>`, bad, "message 2")

	// The third message has it.
	third := func(g *group, name, attributes, elements string, details ...string) {
		g.refusal(name, typeXML, `<messages><message from="a"/><message from="b"/><message from="c" `+attributes+`>`+elements+`</message></messages>`, bad, append(details, "message 3")...)
	}
	unknown := about(Contract, "xml/refused", "An element or attribute in XML that this table does not have: 400, naming it (v1's `<text>` is answered with \"QSTv2 calls this body\"); so are namespaces and document type declarations.")
	third(unknown, "v1's text", "", `<text>x</text>`, "QSTv2 calls this body")
	third(unknown, "v1's text beside a body", "", `<body>x</body><text>x</text>`, "QSTv2 calls this body")
	third(unknown, "another element", "", `<priority>1</priority>`, "priority")
	third(unknown, "another empty element", "", `<urgent/>`, "urgent")
	third(unknown, "an element in capitals", "", `<Body>x</Body>`, "Body")
	third(unknown, "to as an element", "", `<to>x</to>`, "to")
	third(unknown, "id as an element", "", `<id>x</id>`, "id")
	third(unknown, "body as an attribute", `body="x"`, "", "body")
	third(unknown, "subject as an attribute", `subject="x"`, "", "subject")
	third(unknown, "another attribute", `priority="1"`, "", "priority")
	third(unknown, "an attribute in capitals", `ID="1"`, "", "ID")
	third(unknown, "an attribute of body", "", `<body lang="en">x</body>`, "lang")
	third(unknown, "an attribute of subject", "", `<subject type="text">x</subject>`, "type")
	third(unknown, "another attribute of property", "", `<property name="p" value="v" unit="mm"/>`, "unit")
	third(unknown, "an element in body", "", `<body>a<br/>b</body>`, "br")
	third(unknown, "an element in subject", "", `<subject><i>x</i></subject>`, "i")
	third(unknown, "an element in property", "", `<property name="p" value="v"><item/></property>`, "item")
	third(unknown, "a message in a message", "", `<message from="d"/>`, "message")
	third(unknown, "a property without a name", "", `<property value="v"/>`)
	root := func(name, body string, details ...string) { unknown.refusal(name, typeXML, body, bad, details...) }
	root("an attribute of messages", `<messages count="1"><message from="a"/></messages>`, "count")
	root("another element in messages", `<messages><message from="a"/><sms from="b"/></messages>`, "sms")
	root("a property in messages", `<messages><property name="p" value="v"/></messages>`, "property")
	root("a body in messages", `<messages><body>x</body></messages>`, "body")
	root("messages in messages", `<messages><messages><message from="a"/></messages></messages>`, "messages")
	root("another root", `<batch><message from="a"/></batch>`, "batch")
	root("a root in capitals", `<Messages><message from="a"/></Messages>`, "Messages")
	root("a message as the root", `<message from="a"/>`)
	root("HTML", `<!DOCTYPE html><html><body>x</body></html>`)
	root("a default namespace", `<messages xmlns="urn:x"><message id="1"><body>x</body></message></messages>`)
	root("a declared prefix", `<q:messages xmlns:q="urn:x"><q:message id="1"><q:body>x</q:body></q:message></q:messages>`)
	root("a document type alone", `<!DOCTYPE messages>`+oneXML)
	root("an entity of its own", `<!DOCTYPE messages [<!ENTITY e "x">]>`+bodyXML("&e;"))

	names := about(Contract, "xml/refused", "A property named like a field (`id`, `from`, `to`, `when`, `subject`, `body`): 400.")
	for _, f := range fieldNames {
		third(names, "a property named "+f, "", `<property name="`+f+`" value="v"/>`, `"`+f+`"`)
	}
	return append(all(none, unknown, names), xmlMalformed(bad)...)
}

func xmlMalformed(bad []int) []Case {
	g := about(Contract, "xml/malformed", `this batch can never be taken: malformed, too large, wrong type`)
	for _, c := range []struct{ name, body string }{
		{"the wiki's example", `<messages> <message id="24c287Ba-9007-4280-99aa-66e0baa69f5a" from="sms://838383" to="twitter://foo" when="2010-01-01T23:18:83Z"> <subject>asdfa</subject> <body>asfasdf</subject> <property name="custom-property" value="foo" /> <property name="another-property" value="123" /> </message> </messages>`},
		{"two empty roots", `<messages/><messages/>`},
		{"two full roots", oneXML + oneXML},
		{"text after the root", oneXML + `x`},
		{"text before the root", `x` + oneXML},
		{"an end after the root", oneXML + `</messages>`},
		{"CDATA after the root", oneXML + `<![CDATA[x]]>`},
		{"a zero byte after the root", oneXML + "\x00"},
		{"JSON after the root", oneXML + `[]`},
		{"no root", `<!-- nothing -->`},
		{"only a declaration", `<?xml version="1.0"?>`},
		{"mismatched tags", `<messages><message from="a"></messages></message>`},
		{"an end tag in other capitals", `<messages><message from="a"></Message></messages>`},
		{"an attribute without quotes", `<messages><message from=a/></messages>`},
		{"an attribute without a value", `<messages><message from/></messages>`},
		{"an open quote", `<messages><message from="a/></messages>`},
		{"attributes joined", `<messages><message from="a"to="b"/></messages>`},
		{"< in an attribute", `<messages><message from="a<b"/></messages>`},
		{"an attribute twice", `<messages><message from="a" from="b"/></messages>`},
		{"an attribute twice, apart", `<messages><message from="a" to="c" from="a"/></messages>`},
		{"a property's name twice", messageXML(`from="a"`, `<property name="p" name="p" value="v"/>`)},
		{"a bare &", bodyXML(`a & b`)},
		{"an open reference", bodyXML(`a&amp b`)},
		{"an entity of HTML", bodyXML(`a&nbsp;b`)},
		{"an unknown entity", bodyXML(`&foo;`)},
		{"an unknown entity in an attribute", messageXML(`from="&foo;"`, "")},
		{"an empty reference", bodyXML(`&#;`)},
		{"a reference that is no number", bodyXML(`&#xZZ;`)},
		{"U+0000 by reference", bodyXML(`&#0;`)},
		{"U+0001 by reference", bodyXML(`&#1;`)},
		{"U+0001 by reference in an attribute", messageXML(`from="&#1;"`, "")},
		{"a surrogate by reference", bodyXML(`&#xD800;`)},
		{"a pair of surrogates by reference", bodyXML(`&#xD83D;&#xDE00;`)},
		{"U+FFFE by reference", bodyXML(`&#xFFFE;`)},
		{"beyond Unicode by reference", bodyXML(`&#x110000;`)},
		{"far beyond Unicode by reference", bodyXML(`&#99999999999999999999;`)},
		{"a raw U+0000", bodyXML("a\x00b")},
		{"a raw U+0001", bodyXML("a\x01b")},
		{"a raw U+FFFF", bodyXML("a\uffffb")},
		{"a raw control character in CDATA", bodyXML("<![CDATA[\x1b]]>")},
		{"a byte that is never UTF-8", bodyXML("a\xffb")},
		{"ISO-8859-1, undeclared", bodyXML("caf\xe9")},
		{"ISO-8859-1, undeclared, in an attribute", messageXML("from=\"caf\xe9\"", "")},
		{"ISO-8859-1, called UTF-8", declared("UTF-8", bodyXML("caf\xe9"))},
		{"an overlong form", bodyXML("\xc0\xaf")},
		{"a surrogate in UTF-8", bodyXML("\xed\xa0\x80")},
		{"an open CDATA", `<messages><message><body><![CDATA[x</body></message></messages>`},
		{"an open comment", `<messages><!-- <message from="a"/></messages>`},
		{"an open instruction", `<messages><?p <message from="a"/></messages>`},
		{"an open document type", `<!DOCTYPE messages ` + oneXML},
		{"a tag without a name", `<messages>< message from="a"/></messages>`},
		{"a name that begins with a digit", `<messages><1 from="a"/></messages>`},
		{"100000 elements deep", strings.Repeat("<a>", 100000)},
		{"a body 50000 elements deep", `<messages><message><body>` + strings.Repeat("<b>", 50000) + strings.Repeat("</b>", 50000) + `</body></message></messages>`},
		{"20000 batches deep", strings.Repeat("<messages>", 20000) + strings.Repeat("</messages>", 20000)},
		{"50000 attributes", `<messages><message ` + strings.Repeat(`a="1" `, 50000) + `/></messages>`},
	} {
		g.refusal(c.name, typeXML, c.body, bad)
	}
	open := about(Contract, "xml/open", `this batch can never be taken: malformed, too large, wrong type`)
	for _, c := range []struct{ name, body, want string }{
		{"text between messages", `<messages>hello<message id="1"><body>x</body></message></messages>`, "x"},
		{"text in a message", messageXML(`id="1"`, `hello<body>x</body>`), "x"},
		{"text in a property", messageXML(`id="1"`, `<body>x</body><property name="p" value="v">text</property>`), "x"},
		{"xml:space", messageXML(`id="1" xml:space="preserve"`, `<body>x</body>`), "x"},
		{"a property without a value", messageXML(`id="1"`, `<body>x</body><property name="p"/>`), "x"},
		{"two bodies", messageXML(`id="1"`, `<body>x</body><body>x</body>`), "x"},
		{"]]> in text", bodyXML(`x]]>`), "x]]>"},
		{"XML 1.1", `<?xml version="1.1"?>` + bodyXML("x"), "x"},
		{"white space before the declaration", ` <?xml version="1.0"?>` + bodyXML("x"), "x"},
		{"two hyphens in a comment", `<!-- a -- b -->` + bodyXML("x"), "x"},
	} {
		open.either(c.name, typeXML, c.body, c.want, 400)
	}
	whole := about(Contract, "xml", `All or nothing: either every message of the batch is in the queue, or none is.`)
	whole.add("cut off anywhere", func(t *exam) {
		document := `<?xml version="1.0"?><messages><!-- c --><message id="1" from="ä"><subject>s&amp;t</subject><body><![CDATA[x]]></body></message>` +
			`<message id="2" to='b'><body>y</body><property name="p" value="v"/></message></messages>`
		cutOff(t, typeXML, document)
		path := t.channel()
		t.stored(t.do(t.a, "POST", path, document, typeXML), "xml", 2, 0)
		t.wantIDs(t.pull(t.b, path), "1 2")
	})
	return all(g, open, whole)
}

// xmlEntities: no entity is loaded from anywhere, and none is expanded into a bomb.
func xmlEntities() []Case {
	bomb := `<!DOCTYPE messages [<!ENTITY a0 "lol">`
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf(`<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	g := about(Contract, "xml/entities", "An element or attribute in XML that this table does not have: 400, naming it (v1's `<text>` is answered with \"QSTv2 calls this body\"); so are namespaces and document type declarations.")
	for _, c := range []struct{ name, body string }{ // URL: where a fetch would be noticed
		{"a file", `<!DOCTYPE messages [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + bodyXML("&e;")},
		{"a file in an attribute", `<!DOCTYPE messages [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + messageXML(`id="1" from="&e;"`, "")},
		{"a URL", `<!DOCTYPE messages [<!ENTITY e SYSTEM "URL/e">]>` + bodyXML("&e;")},
		{"an external subset", `<!DOCTYPE messages SYSTEM "URL/dtd">` + bodyXML("&e;")},
		{"a parameter entity", `<!DOCTYPE messages [<!ENTITY % p SYSTEM "URL/p"> %p;]>` + bodyXML("&e;")},
		{"a public one", `<!DOCTYPE messages PUBLIC "x" "URL/dtd">` + bodyXML("&e;")},
		{"an inclusion", messageXML(`id="1"`, `<body><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="URL/i"/></body>`)},
		{"a bomb", bomb + `]>` + bodyXML("&a11;")},
		{"a bomb in an attribute", bomb + `]>` + messageXML(`id="1" from="&a11;"`, "")},
		{"an endless entity", `<!DOCTYPE messages [<!ENTITY e "&f;"><!ENTITY f "&e;">]>` + bodyXML("&e;")},
		{"a quadratic bomb", `<!DOCTYPE messages [<!ENTITY e "` + strings.Repeat("a", 100000) + `">]>` + bodyXML(strings.Repeat("&e;", 100000))},
	} {
		added := g.add(c.name, func(t *exam) {
			trap := t.trap()
			path := t.channel()
			a := t.do(t.a, "POST", path, strings.ReplaceAll(c.body, "URL", trap.url), typeXML)
			if strings.Contains(a.Body, "root:") {
				t.errorf("the answer has a file of the server: %s", a.Body)
			}
			t.refused(a, []int{400, 413})
			t.empty(t.b, path)
			if n := trap.hits.Load(); n > 0 {
				t.errorf("the server fetched it, %d times", n)
			}
		})
		added.Sends, added.Accepts = sends(typeXML, c.body), "400 or 413, and nothing is fetched"
	}
	return all(g)
}

// trap is an HTTP server on this machine that nobody has a reason to ask.
type trap struct {
	url  string
	hits atomic.Int64
}

func (t *exam) trap() *trap {
	l, err := new(net.ListenConfig).Listen(t.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.fatalf("%v", err)
	}
	trap := &trap{url: "http://" + l.Addr().String()}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		trap.hits.Add(1)
		_, _ = fmt.Fprint(w, `<!ENTITY e "fetched">`)
	})}
	t.begun.Go(func() { _ = s.Serve(l) })
	t.begun.Go(func() {
		<-t.ctx.Done()
		_ = s.Close()
	})
	return trap
}
