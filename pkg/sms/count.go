package sms

import (
	"unicode/utf16"
)

// Encoding is how a text is written in an SMS.
type Encoding string

// The encodings.
const (
	GSM7 Encoding = "GSM-7" // a unit is a septet; a character takes one, or two with an escape
	UCS2 Encoding = "UCS-2" // a unit is 16 bits; a character beyond U+FFFF (an emoji) takes two
)

// What a single SMS holds, and each part of several.
const (
	singleGSM7, partGSM7 = 160, 153
	singleUCS2, partUCS2 = 70, 67
)

// MostParts is how many parts an SMS can have: its header counts them in an octet.
const MostParts = 255

// Count is what SMS a text will be.
type Count struct {
	Encoding Encoding
	Units    int // of the text: septets, or 16-bit units
	Parts    int // at least one: an empty text is an SMS too; more than MostParts can't be sent
	Left     int // units for which the last part has room

	// Outside are the characters that are not in GSM-7, each once, in the order of the
	// text: what to change for fewer parts.
	Outside []rune
}

// Measure tells what SMS a text will be. Bytes that are not UTF-8 count as U+FFFD.
func Measure(text string) Count {
	c := Count{Encoding: GSM7}
	seen := map[rune]bool{}
	for _, r := range text {
		if septets(r) == 0 && !seen[r] {
			seen[r] = true
			c.Outside = append(c.Outside, r)
		}
	}
	size, single, part := septets, singleGSM7, partGSM7
	if len(c.Outside) > 0 {
		c.Encoding = UCS2
		size, single, part = utf16.RuneLen, singleUCS2, partUCS2
	}
	c.Parts = 1
	used := 0 // of the last part
	for _, r := range text {
		n := size(r)
		c.Units += n
		if used+n > part {
			c.Parts++
			used = 0
		}
		used += n
	}
	c.Left = part - used
	if c.Units <= single {
		c.Parts, c.Left = 1, single-c.Units
	}
	return c
}
