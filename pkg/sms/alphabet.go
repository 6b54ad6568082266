package sms

// alphabet is the GSM 7-bit default alphabet, in the order of its table: the character at
// index i has the code i. 0x1B is the escape to the extension table.
const alphabet = "@£$¥èéùìòÇ\nØø\rÅå" +
	"Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" +
	" !\"#¤%&'()*+,-./" +
	"0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNO" +
	"PQRSTUVWXYZÄÖÑÜ§" +
	"¿abcdefghijklmno" +
	"pqrstuvwxyzäöñüà"

// extension is what the extension table adds. Each takes an escape and a code.
const extension = "\f^{}\\[~]|€"

// septets returns how many septets a character takes in GSM-7; 0: it is not in it.
func septets(r rune) int {
	switch {
	case r >= ' ' && r <= 'Z' && r != '$' && r != '@', r >= 'a' && r <= 'z': // the most of most texts
		return 1
	case r == '\x1b':
		return 0 // the escape is no character
	}
	for _, c := range alphabet {
		if c == r {
			return 1
		}
	}
	for _, c := range extension {
		if c == r {
			return 2
		}
	}
	return 0
}
