package gateway

import "github.com/queuestatetransfer/qst/pkg/sms"

// IsGSM reports whether a text can be sent in GSM's 7-bit alphabet. What can't has to be
// sent as UCS-2.
func IsGSM(text string) bool { return sms.Measure(text).Encoding == sms.GSM7 }
