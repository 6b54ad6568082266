package conformance

import (
	"strings"
)

// xmlTaken is what goes in as XML, and what has to come out.
func xmlTaken() []Case {
	x := func(g *group, name, attributes, elements, want string) {
		g.trip(name, typeXML, messageXML(attributes, elements), `[`+want+`]`)
	}

	wiki := about(Wiki, "xml/wiki", `When sending and receiving messages in XML format, the "text/xml" content type is used.`)
	wiki.trip("its example, mended", typeXML, `<messages> <message id="24c287Ba-9007-4280-99aa-66e0baa69f5a" from="sms://838383" to="twitter://foo" when="2010-01-01T23:18:83Z"> <subject>asdfa</subject> <body>asfasdf</body> <property name="custom-property" value="foo" /> <property name="another-property" value="123" /> </message> </messages>`,
		`[{"id":"24c287Ba-9007-4280-99aa-66e0baa69f5a","from":"sms://838383","to":"twitter://foo","when":"2010-01-01T23:18:83Z","subject":"asdfa","body":"asfasdf","custom-property":"foo","another-property":"123"}]`)
	wiki.trip("two messages", typeXML, "<messages>\n<message id='1' from='a'/>\n<message id='2' to='b'></message></messages>", `[{"id":"1","from":"a"},{"id":"2","to":"b"}]`)

	syntax := about(Contract, "xml/syntax", "`<messages>` with `<message>` children")
	syntax.trip("declaration, comments, instructions", typeXML, "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\r\n<!-- a --><?p i?>\n<messages><!-- <message/> --><?p i?>\n<message id='1'><!-- b --><body>x</body><?p?></message>\n<!-- c --></messages>\n<!-- d --><?p i?>\n\n", `[{"id":"1","body":"x"}]`)
	syntax.trip("application/xml", "Content-Type: application/xml", bodyXML("x"), `[{"id":"1","body":"x"}]`)
	for _, c := range [][2]string{{"in short", `<messages/>`}, {"in full", `<messages></messages>`}, {"a comment", "<messages>\n <!-- none -->\n</messages>"}, {"a declaration", `<?xml version="1.0"?><messages />`}} {
		syntax.trip("an empty batch, "+c[0], typeXML, c[1], `[]`)
	}

	fields := about(Contract, "xml/fields", "All fields are optional, but a message with none of `from`, `to`, `subject`, `body`, or with nothing in them, is refused.")
	x(fields, "only from", `id="1" from="a"`, ``, `{"id":"1","from":"a"}`)
	x(fields, "only to", `id="1" to="a"`, ``, `{"id":"1","to":"a"}`)
	x(fields, "only subject", `id="1"`, `<subject>a</subject>`, `{"id":"1","subject":"a"}`)
	x(fields, "only body", `id="1"`, `<body>a</body>`, `{"id":"1","body":"a"}`)
	x(fields, "in another order", `to="b" from="a" id="1"`, `<property name="p" value="1"/><body>x</body><property name="q" value="2"/><subject>s</subject>`, `{"id":"1","from":"a","to":"b","subject":"s","body":"x","p":"1","q":"2"}`)
	ids := about(Contract, "xml/id", "`id` missing or empty: the server gives the message a UUID (version 7). `when` missing: the time of receipt, RFC 3339, UTC.")
	x(ids, "missing", ``, `<body>a</body>`, `{"body":"a"}`)
	x(ids, "empty", `id=""`, `<body>a</body>`, `{"body":"a"}`)
	x(ids, "when is no time", `id="1" when="now"`, `<body>a</body>`, `{"id":"1","when":"now","body":"a"}`)

	twice := about(Contract, "xml/property", `The same name twice in XML is an array in JSON, and back.`)
	x(twice, "a name twice", `id="1"`, `<body>x</body><property name="p" value="a"/><property name="p" value="b"/><property name="q" value="c"/>`, `{"id":"1","body":"x","p":["a","b"],"q":"c"}`)
	x(twice, "a name and a value twice", `id="1"`, `<body>x</body><property name="p" value="a"/><property name="p" value="a"/>`, `{"id":"1","body":"x","p":["a","a"]}`)
	property := about(Contract, "xml/property", "`<property name value/>`, repeatable")
	x(property, "values stay text", `id="1"`, `<body>x</body><property name="p" value="1.10"/><property name="q" value="true"/><property name="r" value="null"/><property name="s" value=""/><property name="t" value="[1]"/>`, `{"id":"1","body":"x","p":"1.10","q":"true","r":"null","s":"","t":"[1]"}`)
	x(property, "in their order", `id="1"`, `<body>x</body><property value="1" name="z"/><property name="a" value="2"></property><property name="10" value="3"/><property name="9" value="4"/>`, `{"id":"1","body":"x","z":"1","a":"2","10":"3","9":"4"}`)
	x(property, "names in capitals", `id="1"`, `<body>x</body><property name="Body" value="1"/><property name="ID" value="2"/>`, `{"id":"1","body":"x","Body":"1","ID":"2"}`)
	x(property, "names of any form", `id="1"`, `<body>x</body><property name="a b" value="1"/><property name="&lt;&amp;&quot;&#10;&#9;" value="2"/><property name="ä&#x1F600;" value="3"/><property name="text" value="4"/>`, `{"id":"1","body":"x","a b":"1","<&\"\n\t":"2","ä😀":"3","text":"4"}`)

	return append(all(wiki, syntax, fields, ids, twice, property), xmlText()...)
}

func xmlText() []Case {
	exact := about(Contract, "xml/text", `Text is Unicode and arrives as it was sent, white space and line ends included.`)
	body := func(g *group, name, inner, want string) {
		g.trip(name, typeXML, bodyXML(inner), `[{"id":"1","body":"`+want+`"}]`)
	}
	body(exact, "white space", "  x \t \n\n y  ", `  x \t \n\n y  `)
	body(exact, "only white space", "   ", `   `)
	body(exact, "a line end in front", "\nx\n", `\nx\n`)
	body(exact, "the five entities", "&lt;&gt;&amp;&quot;&apos;", `<>&\"'`)
	body(exact, "references", "&#228;&#xe4;&#x1F600;&#128512;&#x10FFFD;", `ää😀😀\udbff\udffd`)
	body(exact, "CDATA", "<![CDATA[a<b>&amp;&c;]]>", `a<b>&amp;&c;`)
	body(exact, "text and CDATA", "1 <![CDATA[ <2> ]]> 3<![CDATA[]]>", `1  <2>  3`)
	body(exact, "CDATA's own end", "<![CDATA[a]]]]><![CDATA[>b]]>", `a]]>b`)
	body(exact, "a comment within", "a<!-- <b> & -->b", `ab`)
	body(exact, "an instruction within", "a<?p i?>b", `ab`)
	body(exact, "C1 and line separators", "a&#x85;&#x2028;&#x7f;b", `a\u0085\u2028\u007fb`)
	body(exact, "emoji and what is not normalised", "😀é\u0301", `😀é\u0301`)
	body(exact, "quotes", `"'`, `\"'`)
	body(exact, "right to left", "\u202eאב", "\u202eאב")
	long := strings.Repeat("lang und länger ", 2000)
	body(exact, "32000 characters", long, long)
	exact.trip("no markup twice", typeXML, messageXML(`id="1" from="&amp;amp;"`, `<body>&amp;lt;b&amp;gt;</body>`), `[{"id":"1","from":"&amp;","body":"&lt;b&gt;"}]`)
	exact.trip("references in attributes", typeXML, messageXML(`id="&#49;" from="a&#13;&#10;b&#9;c" to='&apos;&quot;"&lt;&gt;&amp;'`, `<body>x</body><property name="p" value=" &#10; "/>`),
		`[{"id":"1","from":"a\r\nb\tc","to":"'\"\"<>&","body":"x","p":" \n "}]`)

	ends := about(Contract, "xml/text", "Line ends written as such in XML are line feeds, as XML has it; `&#13;` is exact.")
	body(ends, "CR LF and CR", "a\r\nb\rc", `a\nb\nc`)
	body(ends, "CR LF by reference", "a&#13;&#10;b&#xD;&#xa;", `a\r\nb\r\n`)
	body(ends, "CR by reference", "a&#13;b", `a\rb`)
	return all(exact, ends)
}
