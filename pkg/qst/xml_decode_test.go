package qst

import (
	"reflect"
	"strings"
	"testing"
)

// messages wraps the content of <messages>; message that of one <message>.
func messages(content string) string { return "<messages>" + content + "</messages>" }

func message(content string) string {
	return messages(`<message to="1">` + content + `</message>`)
}

func TestDecodeXML(t *testing.T) {
	body := func(s string) []Message { return []Message{{To: "1", Body: s}} }
	to := func(s string) []Message { return []Message{{To: s}} }
	for _, test := range []struct {
		name, doc string
		want      []Message
	}{
		{"empty batch", `<messages/>`, nil},
		{"empty batch, both tags", "<messages>\r\n\t </messages >", nil},
		{"declaration", `<?xml version="1.0" encoding="utf-8" standalone='yes' ?><messages />`, nil},
		{"declaration of 1.1", `<?xml version = '1.1'?><messages/>`, nil},
		{"white space first", "\n <messages/>\n", nil},
		{"byte order mark", "\uFEFF<?xml version=\"1.0\"?><messages/>", nil},
		{"misc everywhere", `<!-- a --><?b c?><messages><!----><?d?><message to="1"><!-- <x> & --><?e?></message><?f ??></messages><!-- g --><?h i?> `, to("1")},
		{"all fields", `<messages><message id="i" from="f" to="t" when="w"><subject>s</subject><body>b</body></message></messages>`,
			[]Message{{ID: "i", From: "f", To: "t", When: "w", Subject: "s", Body: "b"}}},
		{"any order", "<messages>\n<message when = 'w'\n to\t=\r\"t\" ><property value='v' name='n'/><body>b</body>\n<subject>s</subject></message></messages>",
			[]Message{{To: "t", When: "w", Subject: "s", Body: "b", Properties: []Property{str("n", "v")}}}},
		{"several", `<messages><message to="1"/><message to="2"></message> <message to="3"/></messages>`, []Message{{To: "1"}, {To: "2"}, {To: "3"}}},
		{"present and empty", `<messages><message to="1" id="" from='' when=""><subject/><body></body></message></messages>`,
			[]Message{{To: "1", Present: FieldID | FieldFrom | FieldWhen | FieldSubject | FieldBody}}},
		{"empty by comment", message(`<body><!-- nothing --></body>`), []Message{{To: "1", Present: FieldBody}}},

		{"properties repeat", message(`<property name="a" value="1"/><property name="b" value="2"></property><property name="a" value="3"> <!-- x --><?y?></property>`),
			props(str("a", "1"), str("b", "2"), str("a", "3"))},
		{"property without text", message(`<property name="" value=""/>`), props(str("", ""))},
		{"numbers are texts", message(`<property name="n" value="1.10"/>`), props(str("n", "1.10"))},
		{"names are case-sensitive", message(`<property name="ID" value="x"/>`), props(str("ID", "x"))},

		{"entities", message(`<body>&amp;&lt;&gt;&quot;&apos;</body>`), body(`&<>"'`)},
		{"entities once", message(`<body>&amp;lt;&#38;lt;</body>`), body(`&lt;&lt;`)},
		{"character references", message(`<body>&#65;&#x42;&#xe9;&#x20AC;&#128512;&#x0000041;</body>`), body("ABé€😀A")},
		{"references to white space", messages(`<message to="&#9;&#10;&#13;&#32;"/>`), to("\t\n\r ")},
		{"CDATA", message(`<body>a<![CDATA[<b>&amp;]] >]]]>c<![CDATA[]]></body>`), body("a<b>&amp;]] >]c")},
		{"comment inside text", message(`<body>a<!-- x -->b<?y z?>c</body>`), body("abc")},
		{"brackets", message(`<body>]] > a[0]]&gt; ></body>`), body("]] > a[0]]> >")},
		{"quotes", messages(`<message to='"' from="'"/>`), []Message{{To: `"`, From: `'`}}},
		{"> in attributes", messages(`<message to="a>b]]>c"/>`), to("a>b]]>c")},

		{"line ends in text", message("<body>a\r\nb\rc\nd\r\r\ne\r</body>"), body("a\nb\nc\nd\n\ne\n")},
		{"line ends in attributes", messages("<message to=\"a\r\nb\rc\nd\te\r\"/>"), to("a\nb\nc\nd\te\n")},
		{"line ends in CDATA", message("<body><![CDATA[a\r\nb\rc\r]]>\n</body>"), body("a\nb\nc\n\n")},
		{"line ends next to markup", message("<body>a\r<!-- -->\nb\r&#10;c&#13;\nd</body>"), body("a\n\nb\n\nc\r\nd")},
		{"white space kept", message("<body>  a \t\n </body>"), body("  a \t\n ")},
		{"only white space", messages("<message><body> \n </body></message>"), []Message{{Body: " \n "}}},
		{"CDATA of white space", messages("<message><body><![CDATA[ ]]></body></message>"), []Message{{Body: " "}}},

		{"U+FFFD itself", message("<body>\uFFFD&#xFFFD;</body>"), body("\uFFFD\uFFFD")},
		{"C1 and line separators", message("<body>\u0085\u2028\u009f\u007f</body>"), body("\u0085\u2028\u009f\u007f")},
		{"byte order mark in text", message("<body>\uFEFF</body>"), body("\uFEFF")},
		{"beyond the BMP", message("<body>😀\U0010FFFF</body>"), body("😀\U0010FFFF")},
		{"name of an instruction", `<?été-1.0 x?><messages/>`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(XML, "", []byte(test.doc), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestDecodeXMLErrors(t *testing.T) {
	for _, test := range []struct{ doc, want string }{
		{"", `the body is empty`},
		{" \r\n", `the body is empty`},
		{"\uFEFF", `the body is empty`},

		// Root.
		{`[]`, `expected <, found "[" (line 1, column 1)`},
		{`<message to="1"/>`, `the root element must be <messages>, also around a single <message>`},
		{`<Messages/>`, `the root element is "Messages", not <messages>`},
		{`<q:messages xmlns:q="urn:q"/>`, `the root element is "q:messages", not <messages>`},
		{`<messages xmlns="urn:q"/>`, `<messages> has no attribute "xmlns"`},
		{`<messages version="2"></messages>`, `<messages> has no attribute "version"`},
		{`</messages>`, `</messages> ends nothing (line 1, column 12)`},
		{`<!-- x -->`, `the document ends too early (line 1, column 11)`},
		{`<messages>`, `the document ends too early (line 1, column 11)`},
		{`<messages`, `the tag <messages> does not end: found the end (line 1, column 10)`},
		{`<messages/><messages/>`, `unexpected "<" after the root element (line 1, column 12)`},
		{`<messages/>x`, `unexpected "x" after the root element (line 1, column 12)`},
		{`<messages></message>`, `expected </messages>, found </message> (line 1, column 21)`},
		{`x<messages/>`, `expected <, found "x" (line 1, column 1)`},
		{`<![CDATA[]]><messages/>`, `text outside of <subject> and <body> (line 1, column 1)`},

		// Declaration and document type.
		{` <?xml version="1.0"?><messages/>`, `an XML declaration may only stand at the very start (line 1, column 2)`},
		{`<messages><?XML x?></messages>`, `an XML declaration may only stand at the very start (line 1, column 11)`},
		{`<messages/><?xml version="1.0"?>`, `an XML declaration may only stand at the very start (line 1, column 12)`},
		{`<?xml?><messages/>`, `an XML declaration may only stand at the very start (line 1, column 1)`},
		{`<?xml ?><messages/>`, `the XML declaration has no version (line 1, column 7)`},
		{`<?xml version="2.0"?><messages/>`, `XML version "2.0" is not supported (line 1, column 20)`},
		{`<?xml version="1."?><messages/>`, `XML version "1." is not supported (line 1, column 19)`},
		{`<?xml encoding="utf-8"?><messages/>`, `malformed XML declaration (line 1, column 15)`},
		{`<?xml version="1.0" standalone="yes" encoding="utf-8"?><messages/>`, `malformed XML declaration (line 1, column 46)`},
		{`<?xml version="1.0"encoding="utf-8"?><messages/>`, `malformed XML declaration (line 1, column 28)`},
		{`<?xml version="1.0" encoding=""?><messages/>`, `malformed XML declaration (line 1, column 32)`},
		{`<?xml version="1.0" encoding="8bit"?><messages/>`, `malformed XML declaration (line 1, column 36)`},
		{`<?xml version="1.0" standalone="maybe"?><messages/>`, `malformed XML declaration (line 1, column 39)`},
		{`<?xml version="1.0" version="1.0"?><messages/>`, `malformed XML declaration (line 1, column 28)`},
		{`<?xml version="1.0" foo="1"?><messages/>`, `malformed XML declaration (line 1, column 24)`},
		{`<?xml version=1.0?><messages/>`, `malformed XML declaration (line 1, column 15)`},
		{`<?xml version="1.0" ><messages/>`, `malformed XML declaration (line 1, column 21)`},
		{`<!DOCTYPE messages><messages/>`, `a document type declaration is not allowed (line 1, column 1)`},
		{`<!DOCTYPE m [<!ENTITY a "aaa">]><messages/>`, `a document type declaration is not allowed (line 1, column 1)`},
		{`<messages><!DOCTYPE x></messages>`, `a document type declaration is not allowed (line 1, column 11)`},

		// What the protocol does not have.
		{messages(`<message to="1"/><foo/>`), `message 2: <messages> has no element "foo"`},
		{messages(`<Message to="1"/>`), `message 1: <messages> has no element "Message"`},
		{messages(`<message to="1"/><message to="1" cc="2"/>`), `message 2: <message> has no attribute "cc"`},
		{messages(`<message to="1" xml:lang="en"/>`), `message 1: <message> has no attribute "xml:lang"`},
		{messages(`<message to="1" body="x"/>`), `message 1: <message> has no attribute "body"`},
		{messages(`<message to="1" ID="x"/>`), `message 1: <message> has no attribute "ID"`},
		{message(`<to>1</to>`), `message 1: <message> has no element "to"`},
		{message(`<text>hi</text>`), `message 1: <message> has no element "text": QSTv2 calls this body`},
		{message(`<message to="1"/>`), `message 1: <message> has no element "message"`},
		{message(`<body type="html">x</body>`), `message 1: <body> has no attribute "type"`},
		{message(`<body>a<b>c</b></body>`), `message 1: <body> holds text only, not an element "b"; a plain < is written &lt;`},
		{message(`<body/><body/>`), `message 1: <body> appears twice`},
		{message(`<subject>a</subject><body/><subject>a</subject>`), `message 1: <subject> appears twice`},
		{message(`<property name="a"/>`), `message 1: property "a" lacks its attribute "value"`},
		{message(`<property value="a"/>`), `message 1: <property> lacks its attribute "name"`},
		{message(`<property/>`), `message 1: <property> lacks its attribute "name"`},
		{message(`<property name="a" value="b" type="c"/>`), `message 1: <property> has no attribute "type"`},
		{message(`<property name="a" value="b">c</property>`), `message 1: text outside of <subject> and <body>: "c" (line 1, column 56)`},
		{message(`<property name="a" value="b"><c/></property>`), `message 1: <property> has no element "c"`},
		{message(`<property name="a" value="b"></message>`), `message 1: expected </property>, found </message> (line 1, column 66)`},
		{message(`hello`), `message 1: text outside of <subject> and <body>: "h" (line 1, column 27)`},
		{message(`&#32;`), `message 1: text outside of <subject> and <body>: "&" (line 1, column 27)`},
		{message(`<![CDATA[ ]]>`), `message 1: text outside of <subject> and <body> (line 1, column 27)`},
		{messages(`hello`), `expected <, found "h" (line 1, column 11)`},
		{messages(`<message/>`), `message 1: has none of from, to, subject, body`},
		{messages(`<message to="1"/><message id="1" when="2"><body/><property name="a" value="b"/></message>`), `message 2: has none of from, to, subject, body`},

		// Well-formedness.
		{messages(`<message to="1" id="a" id="a"/>`), `message 1: attribute "id" appears twice`},
		{message(`<property name="a" name="a" value="b"/>`), `message 1: attribute "name" of <property> appears twice`},
		{message(`<property name="a" value="a" value="b"/>`), `message 1: attribute "value" of <property> appears twice`},
		{messages(`<message to="1"id="a"/>`), `message 1: expected white space before attribute "id" (line 1, column 28)`},
		{messages(`<message to=1/>`), `message 1: expected an attribute's value in quotes, found "1" (line 1, column 23)`},
		{messages(`<message to/>`), `message 1: expected = after an attribute's name, found "/" (line 1, column 22)`},
		{messages(`<message to="a<b"/>`), `message 1: < inside an attribute's value; it is written &lt; there (line 1, column 25)`},
		{messages(`<message to="1" / >`), `message 1: the tag <message> does not end: found "/" (line 1, column 27)`},
		{`<messages><message to="1`, `message 1: an attribute's value does not end (line 1, column 25)`},
		{`<messages><message to='1"/>`, `message 1: an attribute's value does not end (line 1, column 28)`},
		{messages(`< message to="1"/>`), `expected an element's name after <, found " " (line 1, column 12)`},
		{messages(`<1/>`), `expected an element's name after <, found "1" (line 1, column 12)`},
		{message(`<body>a</subject>`), `message 1: expected </body>, found </subject> (line 1, column 44)`},
		{message(`<body>a</body x>`), `message 1: malformed end tag (line 1, column 41)`},
		{message(`<body>a</ body>`), `message 1: malformed end tag (line 1, column 37)`},
		{message(`<body>a< b</body>`), `message 1: < begins no markup; a plain one is written &lt; (line 1, column 35)`},
		{message(`<body>a<!x></body>`), `message 1: < begins no markup; a plain one is written &lt; (line 1, column 35)`},
		{`<messages><message><body>abc`, `message 1: <body> does not end (line 1, column 29)`},
		{message(`<body>a]]>b</body>`), `message 1: ]]> in text; its > is written &gt; (line 1, column 34)`},
		{message(`<body><![CDATA[a</body>`), `message 1: a CDATA section does not end (line 1, column 71)`},
		{message(`<body><![cdata[a]]></body>`), `message 1: < begins no markup; a plain one is written &lt; (line 1, column 34)`},
		{message(`<!-- a -- b -->`), `message 1: -- inside a comment (line 1, column 36)`},
		{message(`<!-- a --->`), `message 1: -- inside a comment (line 1, column 36)`},
		{message(`<!-->`), `message 1: a comment does not end (line 1, column 53)`},
		{message(`<?x`), `message 1: expected white space in a processing instruction, found "<" (line 1, column 30)`},
		{message(`<?x y`), `message 1: a processing instruction does not end (line 1, column 53)`},
		{message(`<? x?>`), `message 1: expected the name of a processing instruction, found " " (line 1, column 29)`},

		// References and characters.
		{message(`<body>a & b</body>`), `message 1: & begins no reference; a plain one is written &amp; (line 1, column 35)`},
		{message(`<body>a&b</body>`), `message 1: & begins no reference; a plain one is written &amp; (line 1, column 34)`},
		{message(`<body>&nbsp;</body>`), `message 1: unknown entity "nbsp" (line 1, column 33)`},
		{message(`<body>&AMP;</body>`), `message 1: unknown entity "AMP" (line 1, column 33)`},
		{message(`<body>&#;</body>`), `message 1: malformed character reference (line 1, column 35)`},
		{message(`<body>&#x;</body>`), `message 1: malformed character reference (line 1, column 36)`},
		{message(`<body>&#X41;</body>`), `message 1: malformed character reference (line 1, column 35)`},
		{message(`<body>&#4a;</body>`), `message 1: malformed character reference (line 1, column 36)`},
		{message(`<body>&#65</body>`), `message 1: malformed character reference (line 1, column 37)`},
		{message(`<body>&#0;</body>`), `message 1: XML does not allow the character "&#0;" (line 1, column 33)`},
		{message(`<body>&#x1f;</body>`), `message 1: XML does not allow the character "&#x1f;" (line 1, column 33)`},
		{message(`<body>&#xD800;</body>`), `message 1: XML does not allow the character "&#xD800;" (line 1, column 33)`},
		{message(`<body>&#xFFFF;</body>`), `message 1: XML does not allow the character "&#xFFFF;" (line 1, column 33)`},
		{message(`<body>&#x110000;</body>`), `message 1: XML does not allow the character "&#x110000;" (line 1, column 33)`},
		{message(`<body>&#99999999999999999999;</body>`), `message 1: XML does not allow the character "&#99999999999999999999;" (line 1, column 33)`},
		{message(`<body>&#x100000041;</body>`), `message 1: XML does not allow the character "&#x100000041;" (line 1, column 33)`},
		{messages(`<message to="&#0;"/>`), `message 1: XML does not allow the character "&#0;" (line 1, column 24)`},
		{message("<body>\x00</body>"), `message 1: XML does not allow U+0000 (line 1, column 33)`},
		{message("<body>a\x1bb</body>"), `message 1: XML does not allow U+001B (line 1, column 34)`},
		{message("<body><![CDATA[\x0c]]></body>"), `message 1: XML does not allow U+000C (line 1, column 42)`},
		{message("<!-- \x08 -->"), `message 1: XML does not allow U+0008 (line 1, column 32)`},
		{message("<body>\uFFFE</body>"), `message 1: XML does not allow U+FFFE (line 1, column 33)`},
		{messages("<message to=\"\uFFFF\"/>"), `message 1: XML does not allow U+FFFF (line 1, column 24)`},
		{messages(`<message to="1"/>` + "\n<message to=\"é\xff\"/>"), `message 2: invalid UTF-8 (line 2, column 15)`},
		{message("<body>\xed\xa0\xbd</body>"), `message 1: invalid UTF-8 (line 1, column 33)`},
		{"<messages/>\x00", `XML does not allow U+0000 (line 1, column 12)`},
		{"\xff", `invalid UTF-8 (line 1, column 1)`},
		{`<messages><message cc="` + "\xff\"/></messages>", `message 1: <message> has no attribute "cc"`},

		// Places and lengths.
		{"<messages>\r\n<message to=\"1\"/>\r<message\n to=2/></messages>", `message 2: expected an attribute's value in quotes, found "2" (line 4, column 5)`},
		{message(`<property name="id" value="x"/>`), `message 1: property "id" has a field's name`},
		{messages(`<message to="1"/><message to="1"/><message to="1"><property name="&#105;d" value="x"/></message>`), `message 3: property "id" has a field's name`},
		{message(`<property name="body" value="x"/>`), `message 1: property "body" has a field's name`},
		{"<" + strings.Repeat("é", 200) + "/>", `the root element is "` + strings.Repeat("é", 32) + `"…, not <messages>`},
		{"<" + strings.Repeat("m", 63) + "éé/>", `the root element is "` + strings.Repeat("m", 63) + `"…, not <messages>`},
		{messages(`<message to="1" id=>`), `message 1: expected an attribute's value in quotes, found ">" (line 1, column 30)`},
		{`<messages/><!-- -`, `a comment does not end (line 1, column 18)`},
		{`<?xml version="1.0`, `malformed XML declaration (line 1, column 16)`},
		{`<?xml version?>`, `malformed XML declaration (line 1, column 14)`},
		{message("<body></" + strings.Repeat("b", 200) + ">"), `message 1: expected </body>, found </` + strings.Repeat("b", 64) + `…> (line 1, column 236)`},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			msgs, err := Decode(XML, "", []byte(test.doc), Limits{})
			checkError(t, err, ErrMalformed, test.want)
			if msgs != nil {
				t.Errorf("%d messages with an error", len(msgs))
			}
		})
	}
}

// The wiki's own example, which ends its <body> with </subject>.
func TestDecodeWikiExampleAsPrinted(t *testing.T) {
	_, err := Decode(XML, "", []byte(`<messages> <message id="24c287Ba-9007-4280-99aa-66e0baa69f5a" from="sms://838383" to="twitter://foo" when="2010-01-01T23:18:83Z"> <subject>asdfa</subject> <body>asfasdf</subject> <property name="custom-property" value="foo" /> <property name="another-property" value="123" /> </message> </messages>`), Limits{})
	checkError(t, err, ErrMalformed, `message 1: expected </body>, found </subject> (line 1, column 179)`)
}
