package gateway

import (
	"strings"
)

// maxDigits is the most of an E.164 number, and some for national prefixes.
const maxDigits = 20

// Number returns the telephone number in a message's address: sms://+855…, sms:, tel: or the
// bare number. Spaces, dots, hyphens and brackets are dropped. ok is false for
// anything but digits with at most one + before them.
func Number(address string) (number string, ok bool) {
	rest := strings.TrimSpace(address)
	for _, scheme := range []string{"sms:", "tel:"} {
		if len(rest) >= len(scheme) && strings.EqualFold(rest[:len(scheme)], scheme) {
			rest = strings.TrimPrefix(rest[len(scheme):], "//")
			break
		}
	}
	var b strings.Builder
	for i := range len(rest) {
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			b.WriteByte(c)
		case c == '+' && b.Len() == 0:
			b.WriteByte(c)
		case strings.IndexByte(" .-()", c) >= 0:
		default:
			return "", false
		}
	}
	number = b.String()
	digits := strings.TrimPrefix(number, "+")
	return number, digits != "" && len(digits) <= maxDigits
}

// Address returns the address that a message has for a number, or for the name that a
// gateway gave as the sender: "sms://" and the number. "" stays "".
func Address(number string) string {
	if number = strings.TrimSpace(number); number == "" {
		return ""
	}
	return "sms://" + number
}
