package qst

import (
	"cmp"
	"strconv"
	"strings"
)

// ETag stands for a place in a queue: the last message of a batch that was
// pulled. A client that brings it back confirms the messages up to there.
type ETag struct {
	// Epoch tells queues apart, and a queue from one of the same name that
	// was lost: 16 lower-case hexadecimal digits.
	Epoch string

	// ID is the message's place in the queue.
	ID StreamID
}

// StreamID is a place in a Redis stream.
type StreamID struct {
	Ms  uint64 // Unix time in milliseconds
	Seq uint64 // counts within the millisecond
}

// String returns the ID as Redis writes it: "ms-seq", both decimal.
func (id StreamID) String() string {
	var b [41]byte
	return string(id.append(b[:0]))
}

func (id StreamID) append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, id.Ms, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, id.Seq, 10)
}

// Compare returns -1, 0 or +1 as id comes before, at or after other in the stream.
func (id StreamID) Compare(other StreamID) int {
	return cmp.Or(cmp.Compare(id.Ms, other.Ms), cmp.Compare(id.Seq, other.Seq))
}

// ParseStreamID is the inverse of [StreamID.String]. It accepts nothing else:
// no leading zeros, no sign, no missing part. Its error is ErrMalformed.
func ParseStreamID(s string) (StreamID, error) {
	ms, seq, _ := strings.Cut(s, "-")
	m, okMs := parseDecimal(ms)
	n, okSeq := parseDecimal(seq)
	if !okMs || !okSeq {
		return StreamID{}, errorf(ErrMalformed, 0, "%s is not a stream ID", quote(s))
	}
	return StreamID{Ms: m, Seq: n}, nil
}

// parseDecimal parses a decimal number without a sign or leading zeros.
func parseDecimal(s string) (uint64, bool) {
	if s == "" || len(s) > 1 && s[0] == '0' || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// String returns the ETag as the HTTP header has it, quoted:
// "<epoch>-<ms>-<seq>".
func (e ETag) String() string {
	var b [64]byte
	dst := append(b[:0], '"')
	dst = append(dst, e.Epoch...)
	dst = append(dst, '-')
	dst = e.ID.append(dst)
	return string(append(dst, '"'))
}

// maxETag bounds what ParseETag looks at, in bytes: our longest ETag, every
// byte of it percent-encoded twice (%25%33%31), takes 9*60, and some more are
// for what was put around it.
const maxETag = 640

// ParseETag returns the ETag that came back from a client, in any of the forms
// that clients and proxies make of one: with or without quotes, with W/ in
// front, percent-encoded once or twice, with white space around it, with the
// name of a content coding at its end ("…-gzip", "…"-br). It is forgiving
// about form only: ok is false for anything that [ETag.String] can't have
// written.
func ParseETag(s string) (e ETag, ok bool) {
	if len(s) > maxETag {
		return ETag{}, false
	}
	for range 2 {
		s = percentDecode(s)
	}
	s = unwrapETag(s)

	epoch, id, _ := strings.Cut(s, "-")
	if !isEpoch(epoch) {
		return ETag{}, false
	}
	streamID, err := ParseStreamID(id)
	if err != nil {
		return ETag{}, false
	}
	return ETag{Epoch: epoch, ID: streamID}, true
}

func isEpoch(s string) bool {
	if len(s) != 16 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// contentCodings are the suffixes with which servers tell the compressed
// answer's ETag from the plain one's: Apache writes -gzip and -br, Jetty
// --gzip, others ;gzip.
var contentCodings = [...]string{"gzip", "br", "deflate", "zstd"}

// unwrapETag takes away, until nothing is left of them: white space, quotes
// (each on its own: clients lose one), W/ and content codings. None of them
// can be a part of an ETag of ours.
func unwrapETag(s string) string {
	for {
		before := len(s)
		s = strings.Trim(s, "\" \t\r\n")
		if len(s) >= 2 && (s[0] == 'W' || s[0] == 'w') && s[1] == '/' {
			s = s[2:]
		}
		for _, coding := range contentCodings {
			if rest, ok := strings.CutSuffix(s, coding); ok {
				if cut := strings.TrimRight(rest, "-;"); len(cut) < len(rest) {
					s = cut
				}
			}
		}
		if len(s) == before {
			return s
		}
	}
}

// percentDecode decodes %XX; what is no such escape it leaves alone.
func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
