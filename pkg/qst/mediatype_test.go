package qst

import (
	"encoding/binary"
	"testing"
)

func TestParseMediaType(t *testing.T) {
	for _, test := range []struct {
		in      string
		format  Format
		charset string
	}{
		{"text/xml", XML, ""}, {"application/xml", XML, ""}, {"application/json", JSON, ""},
		{"TEXT/XML", XML, ""}, {"Application/JSON", JSON, ""}, {" text/xml ", XML, ""}, {"text/xml;", XML, ""},
		{"text/xml; charset=utf-8", XML, "utf-8"}, {"text/xml;charset=ISO-8859-1", XML, "ISO-8859-1"},
		{`application/xml; CHARSET="utf-16"; x=y`, XML, "utf-16"}, {"application/json; charset=latin1", JSON, "latin1"},
		{"application/json; indent=2", JSON, ""}, {"text/xml ; charset=utf-8", XML, "utf-8"},
		{"text/xml; charset", XML, ""}, {"text/xml; charset=", XML, ""}, {`text/xml; charset="utf-8`, XML, ""}, {"application/json; ;;=", JSON, ""},
		{XML.MediaType(), XML, "utf-8"}, {JSON.MediaType(), JSON, ""},
	} {
		f, charset, err := ParseMediaType(test.in)
		if err != nil || f != test.format || charset != test.charset {
			t.Errorf("%q: %v, %q, %v", test.in, f, charset, err)
		}
	}
	for _, in := range []string{"", " ", ";", "*/*", "text/*", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/soap+xml", "text/xml2", "xml", "text", "text/xml, application/json"} {
		_, _, err := ParseMediaType(in)
		checkError(t, err, ErrUnsupportedType, "Content-Type "+quote(in)+" is not supported: send text/xml, application/xml or application/json")
	}
}

func TestFormat(t *testing.T) {
	if XML.String() != "xml" || JSON.String() != "json" {
		t.Error(XML, JSON)
	}
	if XML.MediaType() != "text/xml; charset=utf-8" || JSON.MediaType() != "application/json" {
		t.Error(XML.MediaType(), JSON.MediaType())
	}
}

func TestSniff(t *testing.T) {
	be, le := binary.BigEndian, binary.LittleEndian
	for _, test := range []struct {
		body string
		want Format
	}{
		{"<", XML}, {"<messages/>", XML}, {" \t\r\n<?xml", XML}, {"\uFEFF<", XML}, {"\uFEFF \n<", XML}, {"<messages/>{", XML},
		{"[]", JSON}, {"{}", JSON}, {"\r\n [", JSON}, {"\uFEFF{", JSON}, {"[<", JSON},
		{string(utf16Bytes(be, "\uFEFF<m")), XML}, {string(utf16Bytes(le, "\uFEFF<m")), XML}, {string(utf16Bytes(le, "\uFEFF[]")), XML},
		{string(utf16Bytes(be, "<m")), XML}, {string(utf16Bytes(le, "<m")), XML}, {string(utf16Bytes(be, " \n<m")), XML}, {string(utf16Bytes(le, " \n<m")), XML},
	} {
		if got, err := Sniff([]byte(test.body)); err != nil || got != test.want {
			t.Errorf("%q: %v, %v", test.body, got, err)
		}
	}
	for _, body := range []string{"", " ", "\r\n\t ", "\uFEFF", "\uFEFF "} {
		_, err := Sniff([]byte(body))
		checkError(t, err, ErrMalformed, "the body is empty")
	}
	for _, body := range []string{"x", `"<"`, "null", "\v<", "\xff<", "\x00", "\x00[", "id=1&to=2"} {
		_, err := Sniff([]byte(body))
		checkError(t, err, ErrUnsupportedType, "the body is neither XML nor JSON, and there is no Content-Type to say what it is")
	}
}
