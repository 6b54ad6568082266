package app_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

const (
	oneJSON   = `[{"id":"1","body":"x"}]`
	oneXML    = `<messages><message id="1"><body>x</body></message></messages>`
	gzipped   = "Content-Encoding: gzip"
	unwritten = "" // no Content-Type
)

// Every body here is the same one message, or is refused.
func testContentTypes(t *testing.T, a, b *replica) {
	for _, c := range []struct{ name, header, body, format string }{
		{"text/xml", "Content-Type: text/xml", oneXML, "xml"},
		{"application/xml", "Content-Type: application/xml", oneXML, "xml"},
		{"application/json", "Content-Type: application/json", oneJSON, "json"},
		{"XML in capitals", "Content-Type: TEXT/XML", oneXML, "xml"},
		{"JSON in capitals", "Content-Type: Application/JSON", oneJSON, "json"},
		{"XML with a charset", "Content-Type: text/xml; charset=utf-8", oneXML, "xml"},
		{"XML with a quoted charset", `Content-Type: text/xml;charset="UTF-8"`, oneXML, "xml"},
		{"application/xml with a charset", "Content-Type: application/xml ; charset=UTF-8", oneXML, "xml"},
		{"JSON with a charset", "Content-Type: application/json; charset=utf-8", oneJSON, "json"},
		{"JSON with a parameter", "Content-Type: application/json; v=2", oneJSON, "json"},
		{"none, XML", unwritten, oneXML, "xml"},
		{"none, XML declaration", unwritten, `<?xml version="1.0"?>` + oneXML, "xml"},
		{"none, XML after white space", unwritten, " \t\r\n" + oneXML, "xml"},
		{"none, XML comment", unwritten, "<!-- x -->" + oneXML, "xml"},
		{"none, array", unwritten, oneJSON, "json"},
		{"none, object", unwritten, `{"id":"1","body":"x"}`, "json"},
		{"none, array after white space", unwritten, "\r\n\t " + oneJSON, "json"},
		{"none, object after white space", unwritten, strings.Repeat("\n", 5000) + `{"id":"1","body":"x"}`, "json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newChannel()
			var header []string
			if c.header != "" {
				header = []string{c.header}
			}
			stored(t, do(t, "POST", a.URL+path, c.body, header...), c.format, 1, 0)
			got := pull(t, b, path)
			wantIDs(t, got, "1")
		})
	}
	malformed, wrong := only(400), only(415)
	runRefusals(t, a, b, []refusal{
		{"text/plain", "Content-Type: text/plain", oneJSON, wrong, nil},
		{"text/html", "Content-Type: text/html", oneXML, wrong, nil},
		{"octets", "Content-Type: application/octet-stream", oneJSON, wrong, nil},
		{"a form", "Content-Type: application/x-www-form-urlencoded", oneJSON, wrong, nil},
		{"multipart", "Content-Type: multipart/form-data; boundary=x", oneJSON, wrong, nil},
		{"csv", "Content-Type: text/csv", oneJSON, wrong, nil},
		{"problem", "Content-Type: application/problem+json", oneJSON, wrong, nil},
		{"a prefix", "Content-Type: application/jsonx", oneJSON, wrong, nil},
		{"a list", "Content-Type: application/json, text/xml", oneJSON, []int{400, 415}, nil},
		{"no type", "Content-Type: json", oneJSON, []int{400, 415}, nil},
		{"nonsense", "Content-Type: ;;;", oneJSON, []int{400, 415}, nil},
		{"JSON called XML", typeXML, oneJSON, malformed, nil},
		{"XML called JSON", typeJSON, oneXML, malformed, nil},
		{"no JSON", typeJSON, "", malformed, nil},
		{"no XML", typeXML, "", malformed, nil},
		{"blank JSON", typeJSON, " \n", malformed, nil},
		{"blank XML", typeXML, " \n", malformed, nil},
		{"nothing", "", "", []int{400, 415}, nil},
		{"white space", "", " \r\n\t", []int{400, 415}, nil},
		{"none, text", "", "hello", []int{400, 415}, nil},
		{"none, a string", "", `"hello"`, []int{400, 415}, nil},
		{"none, a zero byte", "", "\x00" + oneJSON, []int{400, 415}, nil},
		{"none, gzip undeclared", "", zip(oneJSON), []int{400, 415}, nil},
		{"JSON, gzip undeclared", typeJSON, zip(oneJSON), malformed, nil},
		{"none, broken XML", "", "<messages>", malformed, nil},
		{"none, broken JSON", "", "[", malformed, nil},
	})
	t.Run("chunked", func(t *testing.T) {
		path := newChannel()
		got := raw(t, a, "POST "+path+" HTTP/1.1\nHost: x\nContent-Type: application/json\nTransfer-Encoding: chunked\nConnection: close\n\n"+
			"5\r\n[{\"id\r\n12\r\n\":\"1\",\"body\":\"x\"}]\r\n0\r\n\r\n")
		stored(t, got, "json", 1, 0)
		wantIDs(t, pull(t, b, path), "1")
	})
	t.Run("HTTP/1.0", func(t *testing.T) {
		path := newChannel()
		got := raw(t, a, "POST "+path+" HTTP/1.0\nContent-Type: text/xml\nContent-Length: "+strconv.Itoa(len(oneXML))+"\n\n"+oneXML)
		stored(t, got, "xml", 1, 0)
		got = raw(t, b, "GET "+path+"?format=json HTTP/1.0\n\n")
		wantIDs(t, got, "1")
	})
}

func testGzip(t *testing.T, a, b *replica) {
	emoji := "\U0001F600 grüße"
	for _, c := range []struct{ name, body, header, format string }{
		{"JSON", zip(oneJSON), typeJSON + "\n" + gzipped, "json"},
		{"XML", zip(oneXML), typeXML + "\n" + gzipped, "xml"},
		{"JSON, no type", zip("\n " + oneJSON), gzipped, "json"},
		{"XML, no type", zip("\n " + oneXML), gzipped, "xml"},
		{"in capitals", zip(oneJSON), typeJSON + "\nContent-Encoding: GZIP", "json"},
		{"two members", zip(oneJSON[:7]) + zip(oneJSON[7:]), typeJSON + "\n" + gzipped, "json"},
		{"text", zip(`{"id":"1","body":"` + emoji + `"}`), typeJSON + "\n" + gzipped, "json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newChannel()
			stored(t, do(t, "POST", a.URL+path, c.body, strings.Split(c.header, "\n")...), c.format, 1, 0)
			got := pull(t, b, path).messages(t)
			if len(got) != 1 || got[0]["id"] != "1" || c.name == "text" && got[0]["body"] != emoji {
				t.Errorf("pulled %v", got)
			}
		})
	}
	good := zip(`[{"id":"1","body":"x"},{"id":"2","body":"` + strings.Repeat("long ", 100) + `"}]`)
	corrupt := []byte(good)
	corrupt[len(corrupt)-6] ^= 0xff // in the checksum
	length := []byte(good)
	length[len(length)-2] ^= 0xff
	bomb := zip("[" + strings.Repeat(" ", 6<<20) + "]")
	text := zip(`{"body":"` + strings.Repeat("a", 6<<20) + `"}`)
	malformed, large := only(400), only(413)
	gz := typeJSON + "\n" + gzipped
	runRefusals(t, a, b, []refusal{
		{"not gzip", gz, oneJSON, malformed, nil},
		{"nothing", gz, "", malformed, nil},
		{"nothing, zipped", gz, zip(""), malformed, nil},
		{"half a header", gz, good[:5], malformed, nil},
		{"only a header", gz, good[:10], malformed, nil},
		{"truncated", gz, good[:len(good)/2], malformed, nil},
		{"without its checksum", gz, good[:len(good)-8], malformed, nil},
		{"without its last byte", gz, good[:len(good)-1], malformed, nil},
		{"wrong checksum", gz, string(corrupt), malformed, nil},
		{"wrong length", gz, string(length), malformed, nil},
		{"broken JSON", gz, zip(`[{"id":"1","body":"x"}`), malformed, nil},
		{"zipped twice", gz, zip(zip(oneJSON)), malformed, nil},
		{"a bomb of blanks", gz, bomb, large, nil},
		{"a bomb of text", gz, text, large, nil},
		{"an XML bomb", typeXML + "\n" + gzipped, zip("<messages>" + strings.Repeat(" ", 6<<20) + "</messages>"), large, nil},
		{"a bomb without a type", gzipped, bomb, large, nil},
		{"deflate", typeJSON + "\nContent-Encoding: deflate", oneJSON, []int{400, 415}, nil},
		{"br", typeJSON + "\nContent-Encoding: br", oneJSON, []int{400, 415}, nil},
		{"zstd", typeJSON + "\nContent-Encoding: zstd", oneJSON, []int{400, 415}, nil},
		{"unheard of", typeJSON + "\nContent-Encoding: unheard-of", oneJSON, []int{400, 415}, nil},
		{"gzip and deflate", typeJSON + "\nContent-Encoding: deflate, gzip", zip(oneJSON), []int{400, 415}, nil},
		{"wrong type, zipped", "Content-Type: text/plain\n" + gzipped, zip(oneJSON), only(415), nil},
	})
}

func testDefaultLimits(t *testing.T, a, b *replica) {
	large := only(413)
	runRefusals(t, a, b, []refusal{
		{"2 MiB of JSON", typeJSON, "[" + strings.Repeat(" ", 2<<20) + "]", large, nil},
		{"2 MiB of XML", typeXML, "<messages>" + strings.Repeat(" ", 2<<20) + "</messages>", large, nil},
		{"1001 messages", typeJSON, numbered(1, 1001), large, nil},
		{"one message of 200 KiB", typeJSON, `{"body":"` + strings.Repeat("a", 200<<10) + `"}`, large, nil},
		{"the last of 200 KiB", typeJSON, `[{"body":"x"},{"body":"` + strings.Repeat("a", 200<<10) + `"}]`, large, []string{"message 2"}},
		{"200 KiB of properties", typeXML, `<messages><message><body>x</body>` + strings.Repeat(`<property name="a" value="`+strings.Repeat("b", 10000)+`"/>`, 20) + `</message></messages>`, large, nil},
	})
	t.Run("chunked without an end", func(t *testing.T) {
		path := newChannel()
		got := raw(t, a, "POST "+path+" HTTP/1.1\nHost: x\nContent-Type: application/json\nTransfer-Encoding: chunked\nConnection: close\n\n"+
			"180000\r\n"+strings.Repeat(" ", 0x180000)+"\r\n0\r\n\r\n")
		refused(t, got, large)
		empty(t, b, path)
	})
	t.Run("a thousand messages", func(t *testing.T) {
		path := newChannel()
		stored(t, do(t, "POST", a.URL+path, numbered(1, 1000), typeJSON), "json", 1000, 0)
		wantIDs(t, pull(t, b, path, "max=1000"), span(1, 1000))
	})
	t.Run("60000 characters", func(t *testing.T) {
		path, text := newChannel(), strings.Repeat("0123456789", 6000)
		stored(t, do(t, "POST", a.URL+path, `{"id":"1","body":"`+text+`"}`, typeJSON), "json", 1, 0)
		got := pull(t, b, path).messages(t)
		if len(got) != 1 || got[0]["body"] != text {
			t.Errorf("a long text came out changed")
		}
	})
	t.Run("close to 1 MiB", func(t *testing.T) {
		path := newChannel()
		m := `{"body":"` + strings.Repeat("a", 50000) + `"},`
		body := "[" + strings.Repeat(m, 19) + `{"body":"x"}]`
		if got := do(t, "POST", a.URL+path, body, typeJSON); got.Status != http.StatusOK {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		n := 0
		got := pull(t, b, path)
		for len(got.messages(t)) > 0 {
			n += len(got.messages(t))
			got = pull(t, b, path, etag(got))
		}
		if n != 20 {
			t.Errorf("%d of 20 messages came out", n)
		}
	})
}
