package qst

import "time"

// DecodeVersion1 reads a batch as clients of QST version 1 push it: XML in which
// <text> is a message's body. Otherwise it is like [Decode].
func DecodeVersion1(charset string, body []byte, l Limits) ([]Message, error) {
	return decodeXML(charset, body, l.orDefault(), true)
}

// version1Time is the only form in which version 1's parsers read a time: UTC,
// whole seconds.
const version1Time = "2006-01-02T15:04:05Z"

// AppendVersion1 appends a batch as clients of QST version 1 read it: each
// <message> has id, from, to and when, all of them, and one <text>: subject and
// body, joined by " - " where it has both. A when that is no RFC 3339 time is now.
// Properties have no place in it.
func AppendVersion1(dst []byte, msgs []Message, now time.Time) []byte {
	dst = append(dst, "<messages>"...)
	for i := range msgs {
		m := &msgs[i]
		when, err := time.Parse(time.RFC3339, m.When)
		if err != nil {
			when = now
		}
		dst = append(dst, "<message"...)
		dst = appendAttribute(dst, "id", m.ID)
		dst = appendAttribute(dst, "from", m.From)
		dst = appendAttribute(dst, "to", m.To)
		dst = appendAttribute(dst, "when", when.UTC().Format(version1Time))
		dst = append(dst, "><text>"...)
		dst = appendText(dst, m.Subject, textEscapes)
		if m.Subject != "" && m.Body != "" {
			dst = append(dst, " - "...)
		}
		dst = appendText(dst, m.Body, textEscapes)
		dst = append(dst, "</text></message>"...)
	}
	return append(dst, "</messages>"...)
}
