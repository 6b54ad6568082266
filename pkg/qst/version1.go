package qst

import (
	"encoding/base64"
	"strings"
	"time"
)

// DecodeVersion1 reads a batch as clients of QST version 1 push it: XML in which
// <text> is a message's body. Otherwise it is like [Decode], except where a client
// that gets an error would send the same again for ever: characters that XML does
// not allow become U+FFFD, and of more messages than the limits allow the first
// ones are returned. (The answer's ETag says how far they go.)
func DecodeVersion1(charset string, body []byte, l Limits) ([]Message, error) {
	return decodeXML(charset, body, l.orDefault(), true)
}

// version1Time is the only form in which version 1's parsers read a time: UTC,
// whole seconds.
const version1Time = "2006-01-02T15:04:05Z"

// version1Empty stands for a text that is empty: a phone takes that for none, fails
// over it, and never gets on.
const version1Empty = " "

// AppendVersion1 appends a batch as clients of QST version 1 read it: each
// <message> has id ([Version1ID], of which last is one), from, to and when, all of
// them, and one <text>: subject and body, joined by " - " where it has both, a space
// where it has none. A when that is no RFC 3339 time, or lies outside the years 1 to
// 9999 in UTC, is now. Properties have no place in it.
func AppendVersion1(dst []byte, msgs []Message, last string, now time.Time) []byte {
	dst = append(dst, "<messages>"...)
	for i := range msgs {
		m := &msgs[i]
		when, err := time.Parse(time.RFC3339, m.When)
		when = when.UTC()
		// Its offset may carry a valid time out of the years that have four digits.
		if err != nil || when.Year() < 1 || when.Year() > 9999 {
			when = now.UTC()
		}
		dst = append(dst, "<message"...)
		dst = appendAttribute(dst, "id", Version1ID(m.ID, last))
		dst = appendAttribute(dst, "from", m.From)
		dst = appendAttribute(dst, "to", m.To)
		dst = appendAttribute(dst, "when", when.Format(version1Time))
		dst = append(dst, "><text>"...)
		dst = appendText(dst, m.Subject, textEscapes)
		if m.Subject != "" && m.Body != "" {
			dst = append(dst, " - "...)
		}
		dst = appendText(dst, m.Body, textEscapes)
		if m.Subject == "" && m.Body == "" {
			dst = append(dst, version1Empty...)
		}
		dst = append(dst, "</text></message>"...)
	}
	return append(dst, "</messages>"...)
}

// An id that is written in base64url begins with encodedID. Where that is not another
// one than last, otherID follows.
const (
	encodedID = "qst-id-"
	otherID   = "."
)

// Version1ID returns a message's id as clients of version 1 are given it: as it is,
// if it comes back as it is. They send it in an HTTP header, and phones have it in
// the paths of URLs and in SQL: of an id that does not survive that, a client never
// confirms the message, and sends it to people again and again. Such an id is
// "qst-id-" and its base64url.
//
// So is one that the client names already as the last it has: it would not know the
// next message from that one, nor would we know which of them it names then.
func Version1ID(id, last string) string {
	if (id != last || id == "") && !strings.HasPrefix(id, encodedID) && strings.Trim(id, " ") == id &&
		strings.IndexFunc(id, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"#%'/?`, r) }) < 0 {
		return id
	}
	encoded := encodedID + base64.RawURLEncoding.EncodeToString([]byte(id))
	if encoded == last {
		return encoded + otherID
	}
	return encoded
}

// ParseVersion1ID returns the id of which a client was given s.
func ParseVersion1ID(s string) string {
	if encoded, ok := strings.CutPrefix(s, encodedID); ok {
		if id, err := base64.RawURLEncoding.DecodeString(strings.TrimSuffix(encoded, otherID)); err == nil {
			return string(id)
		}
	}
	return s
}
