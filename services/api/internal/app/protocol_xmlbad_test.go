package app_test

import (
	"strings"
	"testing"
)

func testXMLRefused(t *testing.T, a, b *replica) {
	bad := only(400)
	var cases []refusal
	add := func(name, body string, details ...string) {
		cases = append(cases, refusal{name, typeXML, body, bad, details})
	}
	// The third message has it.
	third := func(name, attributes, elements string, details ...string) {
		add(name, `<messages><message from="a"/><message from="b"/><message from="c" `+attributes+`>`+elements+`</message></messages>`, append(details, "message 3")...)
	}
	add("the wiki's example", `<messages> <message id="24c287Ba-9007-4280-99aa-66e0baa69f5a" from="sms://838383" to="twitter://foo" when="2010-01-01T23:18:83Z"> <subject>asdfa</subject> <body>asfasdf</subject> <property name="custom-property" value="foo" /> <property name="another-property" value="123" /> </message> </messages>`)
	add("no field", messageXML("", ""))
	add("only an id", messageXML(`id="1"`, ""))
	add("only when", messageXML(`when="2010-01-01T23:18:03Z"`, ""))
	add("only a property", messageXML(`id="1"`, `<property name="p" value="v"/>`))
	add("the second has no field", `<messages><message from="a"/><message id="2"/></messages>`, "message 2")

	third("v1's text", "", `<text>x</text>`, "QSTv2 calls this body")
	third("v1's text beside a body", "", `<body>x</body><text>x</text>`, "QSTv2 calls this body")
	third("another element", "", `<priority>1</priority>`, "priority")
	third("another empty element", "", `<urgent/>`, "urgent")
	third("an element in capitals", "", `<Body>x</Body>`, "Body")
	third("a field as an element", "", `<to>x</to>`, "to")
	third("id as an element", "", `<id>x</id>`, "id")
	third("body as an attribute", `body="x"`, "", "body")
	third("subject as an attribute", `subject="x"`, "", "subject")
	third("another attribute", `priority="1"`, "", "priority")
	third("an attribute in capitals", `ID="1"`, "", "ID")
	third("an attribute of body", "", `<body lang="en">x</body>`, "lang")
	third("an attribute of subject", "", `<subject type="text">x</subject>`, "type")
	third("another attribute of property", "", `<property name="p" value="v" unit="mm"/>`, "unit")
	third("an element in body", "", `<body>a<br/>b</body>`, "br")
	third("an element in subject", "", `<subject><i>x</i></subject>`, "i")
	third("an element in property", "", `<property name="p" value="v"><item/></property>`, "item")
	third("a message in a message", "", `<message from="d"/>`, "message")
	third("a property without a name", "", `<property value="v"/>`)
	for _, f := range fieldNames {
		third("a property named "+f, "", `<property name="`+f+`" value="v"/>`, `"`+f+`"`)
	}
	add("an attribute of messages", `<messages count="1"><message from="a"/></messages>`, "count")
	add("another element in messages", `<messages><message from="a"/><sms from="b"/></messages>`, "sms")
	add("a property in messages", `<messages><property name="p" value="v"/></messages>`, "property")
	add("a body in messages", `<messages><body>x</body></messages>`, "body")
	add("messages in messages", `<messages><messages><message from="a"/></messages></messages>`, "messages")
	add("another root", `<batch><message from="a"/></batch>`, "batch")
	add("a root in capitals", `<Messages><message from="a"/></Messages>`, "Messages")
	add("a message as the root", `<message from="a"/>`)
	add("HTML", `<!DOCTYPE html><html><body>x</body></html>`)

	for name, v := range map[string]string{
		"two roots":               `<messages/><messages/>`,
		"two full roots":          oneXML + oneXML,
		"text after the root":     oneXML + `x`,
		"text before the root":    `x` + oneXML,
		"an end after the root":   oneXML + `</messages>`,
		"CDATA after the root":    oneXML + `<![CDATA[x]]>`,
		"a zero byte after it":    oneXML + "\x00",
		"JSON after it":           oneXML + `[]`,
		"no root":                 `<!-- nothing -->`,
		"only a declaration":      `<?xml version="1.0"?>`,
		"mismatched tags":         `<messages><message from="a"></messages></message>`,
		"other capitals at end":   `<messages><message from="a"></Message></messages>`,
		"no quotes":               `<messages><message from=a/></messages>`,
		"no value":                `<messages><message from/></messages>`,
		"an open quote":           `<messages><message from="a/></messages>`,
		"attributes joined":       `<messages><message from="a"to="b"/></messages>`,
		"< in an attribute":       `<messages><message from="a<b"/></messages>`,
		"an attribute twice":      `<messages><message from="a" from="b"/></messages>`,
		"an attribute twice same": `<messages><message from="a" to="c" from="a"/></messages>`,
		"a name twice":            messageXML(`from="a"`, `<property name="p" name="p" value="v"/>`),
		"a bare &":                bodyXML(`a & b`),
		"an open reference":       bodyXML(`a&amp b`),
		"an HTML entity":          bodyXML(`a&nbsp;b`),
		"an unknown entity":       bodyXML(`&foo;`),
		"an unknown in attribute": messageXML(`from="&foo;"`, ""),
		"an empty reference":      bodyXML(`&#;`),
		"a bad reference":         bodyXML(`&#xZZ;`),
		"U+0000 by reference":     bodyXML(`&#0;`),
		"U+0001 by reference":     bodyXML(`&#1;`),
		"a surrogate":             bodyXML(`&#xD800;`),
		"a pair by reference":     bodyXML(`&#xD83D;&#xDE00;`),
		"U+FFFE by reference":     bodyXML(`&#xFFFE;`),
		"beyond Unicode":          bodyXML(`&#x110000;`),
		"far beyond Unicode":      bodyXML(`&#99999999999999999999;`),
		"U+0001 in an attribute":  messageXML(`from="&#1;"`, ""),
		"a raw U+0001":            bodyXML("a\x01b"),
		"a raw U+0000":            bodyXML("a\x00b"),
		"a raw U+FFFF":            bodyXML("a\uffffb"),
		"a raw control in CDATA":  bodyXML("<![CDATA[\x1b]]>"),
		"invalid UTF-8":           bodyXML("a\xffb"),
		"Latin-1 undeclared":      bodyXML("caf\xe9"),
		"Latin-1 in an attribute": messageXML("from=\"caf\xe9\"", ""),
		"an overlong form":        bodyXML("\xc0\xaf"),
		"a surrogate in UTF-8":    bodyXML("\xed\xa0\x80"),
		"Latin-1 called UTF-8":    `<?xml version="1.0" encoding="UTF-8"?>` + bodyXML("caf\xe9"),
		"an open CDATA":           `<messages><message><body><![CDATA[x</body></message></messages>`,
		"an open comment":         `<messages><!-- <message from="a"/></messages>`,
		"an open instruction":     `<messages><?p <message from="a"/></messages>`,
		"an open DOCTYPE":         `<!DOCTYPE messages ` + oneXML,
		"a tag without a name":    `<messages>< message from="a"/></messages>`,
		"a name with a digit":     `<messages><1 from="a"/></messages>`,
		"deep":                    strings.Repeat("<a>", 100000),
		"deep bodies":             `<messages><message><body>` + strings.Repeat("<b>", 50000) + strings.Repeat("</b>", 50000) + `</body></message></messages>`,
		"deep batches":            strings.Repeat("<messages>", 20000) + strings.Repeat("</messages>", 20000),
		"many attributes":         `<messages><message ` + strings.Repeat(`a="1" `, 50000) + `/></messages>`,
	} {
		add(name, v)
	}
	cases = append(cases, refusal{"an unknown charset", typeXML, declared("x-nonsense", oneXML), []int{400, 415}, []string{"x-nonsense"}})
	runRefusals(t, a, b, cases)
}

func testXMLTruncated(t *testing.T, a, b *replica) {
	whole := `<?xml version="1.0"?><messages><!-- c --><message id="1" from="ä"><subject>s&amp;t</subject><body><![CDATA[x]]></body></message>` +
		`<message id="2" to='b'><body>y</body><property name="p" value="v"/></message></messages>`
	path := newChannel()
	for i := range len(whole) {
		refused(t, do(t, "POST", a.URL+path, whole[:i], typeXML), only(400))
		if t.Failed() {
			t.Fatalf("of %q", whole[:i])
		}
	}
	empty(t, b, path)
	stored(t, do(t, "POST", a.URL+path, whole, typeXML), "xml", 2, 0)
	wantIDs(t, pull(t, b, path), "1 2")
}
