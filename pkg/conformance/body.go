package conformance

import (
	"strconv"
	"strings"
)

// taken adds a case of one message, in whatever form its body has.
func (g *group) taken(name, header, body, format string) {
	c := g.add(name, func(t *exam) {
		path := t.channel()
		var headers []string
		if header != "" {
			headers = strings.Split(header, "\n")
		}
		t.stored(t.do(t.a, "POST", path, body, headers...), format, 1, 0)
		t.wantIDs(t.pull(t.b, path), "1")
	})
	c.Sends, c.Accepts = sends(header, body), "200, in "+format+", and the message in the queue"
}

func contentTypes() []Case {
	named := about(Contract, "type", "XML (`text/xml`, `application/xml`)")
	for _, c := range []struct{ name, value, body, format string }{
		{"text/xml", "text/xml", oneXML, "xml"},
		{"application/xml", "application/xml", oneXML, "xml"},
		{"XML in capitals", "TEXT/XML", oneXML, "xml"},
		{"XML with a charset", "text/xml; charset=utf-8", oneXML, "xml"},
		{"XML with a quoted charset", `text/xml;charset="UTF-8"`, oneXML, "xml"},
		{"application/xml with a charset", "application/xml ; charset=UTF-8", oneXML, "xml"},
	} {
		named.taken(c.name, "Content-Type: "+c.value, c.body, c.format)
	}
	json := about(Contract, "type", "JSON (`application/json`)")
	for _, c := range []struct{ name, value string }{
		{"application/json", "application/json"},
		{"JSON in capitals", "Application/JSON"},
		{"JSON with a charset", "application/json; charset=utf-8"},
		{"JSON with another parameter", "application/json; v=2"},
	} {
		json.taken(c.name, "Content-Type: "+c.value, oneJSON, "json")
	}
	none := about(Contract, "type/none", "No Content-Type: the first byte that is not white space decides (`<` XML, `[` or `{` JSON).")
	for _, c := range []struct{ name, body, format string }{
		{"XML", oneXML, "xml"},
		{"an XML declaration", `<?xml version="1.0"?>` + oneXML, "xml"},
		{"XML after white space", " \t\r\n" + oneXML, "xml"},
		{"XML after a comment", "<!-- x -->" + oneXML, "xml"},
		{"an array", oneJSON, "json"},
		{"an object", `{"id":"1","body":"x"}`, "json"},
		{"an array after white space", "\r\n\t " + oneJSON, "json"},
		{"an object after 5000 line feeds", strings.Repeat("\n", 5000) + `{"id":"1","body":"x"}`, "json"},
	} {
		none.taken(c.name, "", c.body, c.format)
	}
	perhaps := []int{400, 415}
	for _, c := range []struct{ name, body string }{
		{"nothing", ""},
		{"white space only", " \r\n\t"},
		{"text", "hello"},
		{"a string of JSON", `"hello"`},
		{"a zero byte", "\x00" + oneJSON},
		{"gzip that is not declared", zip(oneJSON)},
	} {
		none.refusal(c.name, "", c.body, perhaps)
	}
	none.refusal("broken XML", "", "<messages>", only(400))
	none.refusal("broken JSON", "", "[", only(400))

	wrong := about(Contract, "type/wrong", `this batch can never be taken: malformed, too large, wrong type`)
	for _, c := range []string{
		"text/plain", "text/html", "application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"text/csv", "application/problem+json", "application/jsonx",
	} {
		wrong.refusal(c, "Content-Type: "+c, oneJSON, only(415))
	}
	wrong.refusal("a list", "Content-Type: application/json, text/xml", oneJSON, perhaps)
	wrong.refusal("no type", "Content-Type: json", oneJSON, perhaps)
	wrong.refusal("nonsense", "Content-Type: ;;;", oneJSON, perhaps)
	for _, c := range []struct{ name, header, body string }{
		{"JSON called XML", typeXML, oneJSON},
		{"XML called JSON", typeJSON, oneXML},
		{"no JSON", typeJSON, ""},
		{"no XML", typeXML, ""},
		{"white space called JSON", typeJSON, " \n"},
		{"white space called XML", typeXML, " \n"},
	} {
		wrong.refusal(c.name, c.header, c.body, only(400))
	}

	http := about(Contract, "http", `POST puts messages into`)
	http.add("a chunked body", func(t *exam) {
		path := t.channel()
		t.stored(t.raw(t.a, "POST "+path+" HTTP/1.1\nHost: HOST\nContent-Type: application/json\nTransfer-Encoding: chunked\nConnection: close\n\n"+
			"5\r\n[{\"id\r\n12\r\n\":\"1\",\"body\":\"x\"}]\r\n0\r\n\r\n"), "json", 1, 0)
		t.wantIDs(t.pull(t.b, path), "1")
	})
	http.add("HTTP 1.0", func(t *exam) {
		path := t.channel()
		t.stored(t.raw(t.a, "POST "+path+" HTTP/1.0\nHost: HOST\nContent-Type: text/xml\nContent-Length: "+strconv.Itoa(len(oneXML))+"\n\n"+oneXML), "xml", 1, 0)
		t.wantIDs(t.raw(t.b, "GET "+path+"?format=json HTTP/1.0\nHost: HOST\n\n"), "1")
	})
	return all(named, json, none, wrong, http)
}

func gzipped() []Case {
	g := about(Contract, "gzip", "`Content-Encoding: gzip` is understood.")
	for _, c := range []struct{ name, header, body, format string }{
		{"JSON", typeJSON + "\n" + gzipBody, zip(oneJSON), "json"},
		{"XML", typeXML + "\n" + gzipBody, zip(oneXML), "xml"},
		{"JSON without a type", gzipBody, zip("\n " + oneJSON), "json"},
		{"XML without a type", gzipBody, zip("\n " + oneXML), "xml"},
		{"in capitals", typeJSON + "\nContent-Encoding: GZIP", zip(oneJSON), "json"},
		{"two members", typeJSON + "\n" + gzipBody, zip(oneJSON[:7]) + zip(oneJSON[7:]), "json"},
	} {
		g.taken(c.name, c.header, c.body, c.format)
	}
	emoji := `[{"id":"1","body":"😀 grüße"}]`
	g.trip("text", typeJSON+"\n"+gzipBody, zip(emoji), emoji)

	good := zip(`[{"id":"1","body":"x"},{"id":"2","body":"` + strings.Repeat("long ", 100) + `"}]`)
	corrupt, length := []byte(good), []byte(good)
	corrupt[len(corrupt)-6] ^= 0xff // in the checksum
	length[len(length)-2] ^= 0xff
	malformed := only(400)
	gz := typeJSON + "\n" + gzipBody
	bad := about(Contract, "gzip/refused", `this batch can never be taken: malformed, too large, wrong type`)
	for _, c := range []struct{ name, header, body string }{
		{"what is not gzip", gz, oneJSON},
		{"nothing", gz, ""},
		{"nothing, zipped", gz, zip("")},
		{"half a header", gz, good[:5]},
		{"only a header", gz, good[:10]},
		{"the first half", gz, good[:len(good)/2]},
		{"without its checksum", gz, good[:len(good)-8]},
		{"without its last byte", gz, good[:len(good)-1]},
		{"a wrong checksum", gz, string(corrupt)},
		{"a wrong length", gz, string(length)},
		{"broken JSON", gz, zip(`[{"id":"1","body":"x"}`)},
		{"zipped twice", gz, zip(zip(oneJSON))},
		{"undeclared", typeJSON, zip(oneJSON)},
	} {
		bad.refusal(c.name, c.header, c.body, malformed)
	}
	bad.refusal("a wrong type, zipped", "Content-Type: text/plain\n"+gzipBody, zip(oneJSON), only(415))
	for _, coding := range []string{"deflate", "br", "zstd", "unheard-of"} {
		bad.refusal("encoded as "+coding, typeJSON+"\nContent-Encoding: "+coding, oneJSON, []int{400, 415})
	}
	bad.refusal("encoded twice", typeJSON+"\nContent-Encoding: deflate, gzip", zip(oneJSON), []int{400, 415})
	return all(g, bad)
}
