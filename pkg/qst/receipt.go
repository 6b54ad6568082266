package qst

// AppendReceipt appends a result as [AppendResult] does, with the ids of the batch's
// messages, in their order: what the service answers to a push that has the header
// "Prefer: return=representation".
//
//	{"accepted":1,"duplicates":1,"ids":["a","b"]}
//	<result accepted="1" duplicates="1"><message id="a"/><message id="b"/></result>
func AppendReceipt(dst []byte, f Format, r Result, ids []string) []byte {
	dst = AppendResult(dst, f, r)
	if f == JSON {
		dst = append(dst[:len(dst)-len("}")], `,"ids":[`...)
		for i, id := range ids {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, id)
		}
		return append(dst, "]}"...)
	}
	if len(ids) == 0 {
		return dst
	}
	dst = append(dst[:len(dst)-len("/>")], '>')
	for _, id := range ids {
		dst = append(dst, "<message"...)
		dst = appendAttribute(dst, "id", id)
		dst = append(dst, "/>"...)
	}
	return append(dst, "</result>"...)
}
