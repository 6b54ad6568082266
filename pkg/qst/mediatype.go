package qst

import (
	"bytes"
	"mime"
	"strings"
)

// Format is one of the two ways to write a batch.
type Format uint8

// The formats. XML is the zero value, as it is the protocol's default.
const (
	XML Format = iota
	JSON
)

// String returns "xml" or "json", the values of a pull's format parameter.
func (f Format) String() string {
	if f == JSON {
		return "json"
	}
	return "xml"
}

// MediaType returns the Content-Type of what [Append] writes.
func (f Format) MediaType() string {
	if f == JSON {
		return "application/json"
	}
	return "text/xml; charset=utf-8"
}

// ParseMediaType returns the format that a Content-Type names, and its charset
// parameter as it is written there ("" if it has none). text/xml,
// application/xml and application/json are known, in any case and with any
// parameters; anything else, the empty string too, is ErrUnsupportedType.
//
// Parameters that can't be parsed are passed over: they are no reason for a
// client to throw a batch away.
func ParseMediaType(contentType string) (f Format, charset string, err error) {
	name, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "text/xml", "application/xml":
		f = XML
	case "application/json":
		f = JSON
	default:
		return 0, "", errorf(ErrUnsupportedType, 0,
			"Content-Type %s is not supported: send text/xml, application/xml or application/json", quote(contentType))
	}
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		charset = params["charset"]
	}
	return f, charset, nil
}

// Sniff returns the format of a body that came without a Content-Type: its
// first byte that is not white space decides, '<' for XML and '[' or '{' for
// JSON. A byte order mark is understood; UTF-16, with or without one, is XML
// because JSON is always UTF-8.
//
// A body of other content is ErrUnsupportedType, an empty one ErrMalformed.
func Sniff(body []byte) (Format, error) {
	if len(body) >= 2 && sniffUTF16(body) != "" {
		return XML, nil
	}
	rest := bytes.TrimLeft(bytes.TrimPrefix(body, utf8BOM), " \t\r\n")
	if len(rest) == 0 {
		return 0, errorf(ErrMalformed, 0, "the body is empty")
	}
	switch rest[0] {
	case '<':
		return XML, nil
	case '[', '{':
		return JSON, nil
	}
	return 0, errorf(ErrUnsupportedType, 0,
		"the body is neither XML nor JSON, and there is no Content-Type to say what it is")
}
