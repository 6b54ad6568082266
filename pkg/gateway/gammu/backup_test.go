package gammu

import (
	"testing"
	"unicode/utf16"
)

// What the real SMSD writes.
const detail = `; This file format was designed for Gammu and is compatible with Gammu+
; Saved 20261126T074020 (Thu Nov 26 07:40:20 2026)

[SMSBackup000]
; b
PDU = Deliver
DateTime = 20261126T073000Z
Number = "+85512345678"
NumberUnicode = 002B003800350035
UDH = 050003070202
Text00 = DE42
Coding = Unicode_No_Compression
MessageReference = 0

[SMSBackup001]
PDU = Deliver
DateTime = 20261126T073000Z
NumberUnicode = 002B003800350035
UDH = 050003070201
Text00 = 0061
Text01 = D83D
Coding = Unicode_No_Compression
MessageReference = 0

`

func TestParseBackup(t *testing.T) {
	t.Parallel()
	parts, whole := parseBackup([]byte(detail))
	if !whole || len(parts) != 2 {
		t.Fatalf("%+v, %v", parts, whole)
	}
	m := (&Gateway{}).message("IN", []byte(detail), parts)
	if m.Body != "a🙂" || m.From != "sms://+855" || m.When != "2026-11-26T07:30:00Z" {
		t.Errorf("%+v", m)
	}
	for n := range len(detail) - 3 {
		if _, whole := parseBackup([]byte(detail[:n])); whole {
			t.Fatalf("whole after %d of %d bytes", n, len(detail))
		}
	}
}

func FuzzParseBackup(f *testing.F) {
	f.Add([]byte(detail))
	f.Fuzz(func(t *testing.T, content []byte) {
		parts, _ := parseBackup(content)
		for _, p := range parts {
			_ = utf16.Decode(p.units)
			if p.n < 0 || p.total < 0 {
				t.Errorf("%+v", p)
			}
		}
	})
}
