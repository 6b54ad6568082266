package qst

// Decode reads a batch: every message of it, or an error that says what is
// wrong with the first that can't be taken. An empty batch is no error.
//
// The charset is the Content-Type's parameter, "" if there is none. It matters
// to XML only, where a byte order mark goes before it and the XML declaration
// after it.
//
// Errors are [*Error]: ErrMalformed, ErrTooLarge as l says, or
// ErrUnsupportedType for a charset that is not known.
//
// Decode keeps no reference to body. It stops at the first thing l does not
// allow, so what it allocates is bounded by a small multiple of len(body),
// which is for the caller to bound.
func Decode(f Format, charset string, body []byte, l Limits) ([]Message, error) {
	if f == JSON {
		return decodeJSON(body, l.orDefault())
	}
	return decodeXML(charset, body, l.orDefault(), false)
}

// Append appends a batch in format f: AppendJSON or AppendXML.
func Append(dst []byte, f Format, msgs []Message) []byte {
	if f == JSON {
		return AppendJSON(dst, msgs)
	}
	return AppendXML(dst, msgs)
}
