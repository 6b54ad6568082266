package gateway

import "strings"

// gsm are the characters of GSM 03.38's default alphabet, and those that it has by an escape.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà" + "\f^{}\\[~]|€"

// IsGSM reports whether a text can be sent in GSM's 7-bit alphabet. What can't has to be
// sent as UCS-2.
func IsGSM(text string) bool {
	for _, r := range text {
		if !strings.ContainsRune(gsm, r) {
			return false
		}
	}
	return true
}
