package httpapi

import (
	"net/http"
	"strings"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// wantsIDs tells whether a push asks for the ids of its messages: with the preference
// "return=representation" (RFC 7240). Of two that contradict each other the first one counts.
func wantsIDs(h http.Header) bool {
	for _, header := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			preference, _, _ = strings.Cut(preference, ";") // parameters
			name, value, _ := strings.Cut(preference, "=")
			if strings.EqualFold(strings.TrimSpace(name), "return") {
				return strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "representation")
			}
		}
	}
	return false
}

// receipt is the answer to a push that was taken, with the ids of its messages where the
// client prefers that.
func receipt(request, answer http.Header, f qst.Format, result qst.Result, messages []qst.Message) []byte {
	if !wantsIDs(request) {
		return qst.AppendResult(nil, f, result)
	}
	answer.Set("Preference-Applied", "return=representation")
	ids := make([]string, len(messages))
	for i := range messages {
		ids[i] = messages[i].ID
	}
	return qst.AppendReceipt(nil, f, result, ids)
}
