package conformance

import (
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

var errBatch = errors.New("no batch")

// encodeJSON writes a batch as the contract has it.
func encodeJSON(batch []message) string {
	var l []string
	for _, m := range batch {
		var keys []string
		for _, f := range fieldNames {
			if v, ok := m.fields[f]; ok {
				keys = append(keys, fmt.Sprintf(`"%s":%s`, f, quoted(v)))
			}
		}
		for _, p := range m.props {
			keys = append(keys, quoted(p[0])+":"+p[1])
		}
		l = append(l, "{"+strings.Join(keys, ",")+"}")
	}
	return "[" + strings.Join(l, ",") + "]"
}

func quoted(s string) string {
	b, _ := json.Marshal(s) //nolint:errchkjson // a string: can't fail
	return string(b)
}

// encodeXML writes a batch as the contract has it.
func encodeXML(batch []message) string {
	var b strings.Builder
	b.WriteString("<messages>")
	for _, m := range batch {
		m = m.inXML()
		b.WriteString("<message")
		for _, f := range fieldNames[:4] {
			if v, ok := m.fields[f]; ok {
				fmt.Fprintf(&b, ` %s="%s"`, f, escaped(v))
			}
		}
		b.WriteString(">")
		for _, f := range fieldNames[4:] {
			if v, ok := m.fields[f]; ok {
				fmt.Fprintf(&b, "<%[1]s>%[2]s</%[1]s>", f, escaped(v))
			}
		}
		for _, p := range m.props {
			fmt.Fprintf(&b, `<property name="%s" value="%s"/>`, escaped(p[0]), escaped(p[1]))
		}
		b.WriteString("</message>")
	}
	b.WriteString("</messages>")
	return b.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // into memory
	return b.String()
}

// unzipped returns a request's body as it was before it was compressed.
func unzipped(r *http.Request, body string) (string, error) {
	if !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		return body, nil
	}
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(z)
	return string(b), err
}

// parseBody reads a pushed batch by its Content-Type.
func parseBody(r *http.Request, body string) (batch []message, isXML bool, err error) {
	media := r.Header.Get("Content-Type")
	if media == "" {
		media = "application/json"
		if strings.HasPrefix(strings.TrimSpace(body), "<") {
			media = "text/xml"
		}
	}
	media, _, err = mime.ParseMediaType(media)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("%w: Content-Type: %w", errBatch, err)
	case media == "text/xml", media == "application/xml":
		batch, err = parseXML(body)
		return batch, true, err
	case media == "application/json":
		if strings.HasPrefix(strings.TrimSpace(body), "{") {
			body = "[" + body + "]"
		}
		batch, err = parseJSON(body)
		return batch, false, err
	}
	return nil, false, fmt.Errorf("%w: Content-Type %s", errBatch, media)
}
