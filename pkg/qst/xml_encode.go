package qst

import (
	"strings"
	"unicode/utf8"
)

// AppendXML appends a batch as an XML document without a declaration, in
// UTF-8: <messages> with its <message> elements, <messages/> for an empty one.
//
// Characters that XML 1.0 does not allow, and bytes that are not UTF-8, become
// U+FFFD. Everything else is written so that any XML parser reads the same
// text, carriage returns included. A property with several values is as many
// <property> elements; an empty array is none.
func AppendXML(dst []byte, msgs []Message) []byte {
	if len(msgs) == 0 {
		return append(dst, "<messages/>"...)
	}
	dst = append(dst, "<messages>"...)
	for i := range msgs {
		dst = msgs[i].appendElement(dst)
	}
	return append(dst, "</messages>"...)
}

// appendElement appends the message as a <message> element.
func (m *Message) appendElement(dst []byte) []byte {
	dst = append(dst, "<message"...)
	for i := indexID; i <= indexWhen; i++ {
		if m.hasIndex(i) {
			dst = appendAttribute(dst, fieldNames[i], *m.field(i))
		}
	}
	start := len(dst)
	dst = append(dst, '>')
	for i := indexSubject; i <= indexBody; i++ {
		if m.hasIndex(i) {
			dst = appendTextElement(dst, fieldNames[i], *m.field(i))
		}
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		for j := range p.Values {
			dst = append(dst, "<property"...)
			dst = appendAttribute(dst, "name", p.Name)
			dst = appendAttribute(dst, "value", p.Values[j].Text)
			dst = append(dst, "/>"...)
		}
	}
	if len(dst) == start+1 {
		return append(dst[:start], "/>"...)
	}
	return append(dst, "</message>"...)
}

func appendAttribute(dst []byte, name, value string) []byte {
	dst = append(dst, ' ')
	dst = append(dst, name...)
	dst = append(dst, `="`...)
	dst = appendText(dst, value, attributeEscapes)
	return append(dst, '"')
}

func appendTextElement(dst []byte, tag, text string) []byte {
	dst = append(dst, '<')
	dst = append(dst, tag...)
	if text == "" {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	dst = appendText(dst, text, textEscapes)
	dst = append(dst, "</"...)
	dst = append(dst, tag...)
	return append(dst, '>')
}

// escapes says how each ASCII character is written; "" is as it is.
type escapes [utf8.RuneSelf]string

var (
	textEscapes      = newEscapes("")
	attributeEscapes = newEscapes("\"\t\n")
)

// newEscapes returns the escapes that every text needs, and those of more.
// A carriage return is a reference everywhere, because a parser makes a plain
// one a line feed; tabs and line feeds are in attributes, where it makes them
// spaces.
func newEscapes(more string) *escapes {
	var e escapes
	for c := range byte(' ') {
		e[c] = "\uFFFD"
	}
	e['\t'], e['\n'] = "", ""
	e['\r'] = "&#xD;"
	e['&'] = "&amp;"
	e['<'] = "&lt;"
	e['>'] = "&gt;"
	for _, c := range more {
		e[c] = map[rune]string{'"': "&quot;", '\t': "&#x9;", '\n': "&#xA;"}[c]
	}
	return &e
}

// appendText appends s with its characters escaped.
func appendText(dst []byte, s string, e *escapes) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // has U+FFFD for each byte that is not UTF-8
	}
	if hasNonXML(s) {
		s = nonXML.Replace(s)
	}
	for start := 0; ; start++ {
		i, _ := skipMarkup(s, start)
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			return dst
		}
		if esc := e[s[i]]; esc != "" {
			dst = append(dst, esc...)
		} else {
			dst = append(dst, s[i])
		}
		start = i
	}
}

// hasNonXML reports whether s, which is valid UTF-8, has a character beyond ASCII that
// XML does not allow. Few texts have one that begins like those two.
func hasNonXML(s string) bool {
	return strings.IndexByte(s, "\uFFFE"[0]) >= 0 && (strings.Contains(s, "\uFFFE") || strings.Contains(s, "\uFFFF"))
}

// nonXML replaces what hasNonXML tells of.
var nonXML = strings.NewReplacer("\uFFFE", "\uFFFD", "\uFFFF", "\uFFFD")
