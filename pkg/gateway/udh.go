package gateway

// Concatenation reads from a user data header (3GPP TS 23.040) which part of how many
// an SMS is, and of what: ref is the sender's number for the whole text.
func Concatenation(udh []byte) (ref, n, total int, ok bool) {
	if len(udh) < 1 {
		return 0, 0, 0, false
	}
	for b := udh[1:]; len(b) >= 2 && len(b) >= 2+int(b[1]); b = b[2+int(b[1]):] {
		switch value := b[2 : 2+int(b[1])]; {
		case b[0] == 0 && len(value) == 3: // the reference has a byte
			return int(value[0]), int(value[2]), int(value[1]), true
		case b[0] == 8 && len(value) == 4: // two
			return int(value[0])<<8 | int(value[1]), int(value[3]), int(value[2]), true
		}
	}
	return 0, 0, 0, false
}
