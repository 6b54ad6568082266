package conformance_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

func wrongServers() []wrong {
	const get, post = http.MethodGet, http.MethodPost
	drop := func(h string) func(r *http.Response, body string) string {
		return func(r *http.Response, body string) string { r.Header.Del(h); return body }
	}
	return []wrong{
		{name: "a push is answered with an ETag", caught: "push/answer/JSON", answer: of(post, 200, header("ETag", `"x"`))},
		{name: "a push is answered in JSON always", caught: "push/answer/XML", answer: of(post, 200, func(r *http.Response, _ string) string {
			r.Header.Set("Content-Type", "application/json")
			return `{"accepted":1,"duplicates":0}`
		})},
		{name: "a push is answered without numbers", caught: "push/answer/JSON", answer: of(post, 200, func(*http.Response, string) string { return `{}` })},
		{name: "a push is answered with 202", caught: "push/200", answer: of(post, 200, status(202))},
		{name: "an ETag without quotes", caught: "pull/answer/with messages, no parameter", answer: of(get, 200, func(r *http.Response, body string) string {
			if e := r.Header.Get("ETag"); e != "" {
				r.Header.Set("ETag", strings.Trim(e, `"`))
			}
			return body
		})},
		{name: "no ETag", caught: "confirm/what was confirmed is gone", answer: drop("ETag")},
		{name: "an ETag on what is empty", caught: "pull/answer/without, no parameter", answer: of(get, 200, func(r *http.Response, body string) string {
			if r.Header.Get("ETag") == "" {
				r.Header.Set("ETag", `"x"`)
			}
			return body
		})},
		{name: "304", caught: "pull/answer/never 304", answer: of(get, 200, func(r *http.Response, body string) string {
			if e := r.Request.Header.Get("If-None-Match"); e != "" && e == r.Header.Get("ETag") {
				r.StatusCode = http.StatusNotModified
				return ""
			}
			return body
		})},
		{name: "204 when there is nothing", caught: "poll/wait/the wait is over", answer: of(get, 200, func(r *http.Response, body string) string {
			if body == "[]" || body == "<messages/>" {
				r.StatusCode = http.StatusNoContent
				return ""
			}
			return body
		})},
		{name: "null when there is nothing", caught: "pull/answer/without, format=json", answer: of(get, 200, func(_ *http.Response, body string) string {
			if body == "[]" {
				return "null"
			}
			return body
		})},
		{name: "answers may be cached", caught: "pull/answer/with messages, no parameter", answer: of(get, 200, drop("Cache-Control"))},
		{name: "compressed unasked", caught: "pull/answer/nothing is compressed unasked", answer: of(get, 200, func(r *http.Response, body string) string {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = io.WriteString(w, body)
			_ = w.Close()
			r.Header.Set("Content-Encoding", "gzip")
			return b.String()
		})},
		{name: "no ETag is heard", caught: "confirm/all at once", request: query(func(q url.Values) { q.Del("etag") })},
		{name: "If-None-Match is not heard", caught: "etag/form/quoted", request: func(r *http.Request, body string) string { r.Header.Del("If-None-Match"); return body }},
		{name: "If-None-Match wins", caught: "confirm/the parameter wins", request: func(r *http.Request, body string) string {
			if r.Header.Get("If-None-Match") != "" {
				return query(func(q url.Values) { q.Del("etag") })(r, body)
			}
			return body
		}},
		{name: "a weak ETag is another", caught: "etag/form/weak", request: query(func(q url.Values) {
			if strings.HasPrefix(q.Get("etag"), "W/") {
				q.Set("etag", "x")
			}
		})},
		{name: "nothing is told of what was confirmed", caught: "confirm/one by one", answer: drop("QST-Confirmed")},
		{name: "one too many was confirmed", caught: "confirm/again", answer: of(get, 200, func(r *http.Response, body string) string {
			if n, err := strconv.Atoi(r.Header.Get("QST-Confirmed")); err == nil {
				r.Header.Set("QST-Confirmed", strconv.Itoa(n+1))
			}
			return body
		})},

		{name: "500 for what is malformed", caught: "push/400 to what is malformed", answer: of(post, 400, status(500))},
		{name: "422 for what is malformed", caught: "json/refused/no field", answer: of(post, 400, status(422))},
		{name: "400 for what is too large", caught: "bounds/property/65 values", answer: of(post, 413, status(400))},
		{name: "400 for a wrong type", caught: "type/wrong/text/plain", answer: of(post, 415, status(400))},
		{name: "errors are plain text", caught: "json/malformed/null", answer: of(post, 400, header("Content-Type", "text/plain"))},
		{name: "errors without a detail", caught: "xml/malformed/no root", answer: of(post, 400, func(*http.Response, string) string { return `{"status":400,"title":"Bad Request"}` })},
		{name: "errors that say another status", caught: "json/malformed/null", answer: of(post, 400, replaced(`"status":400`, `"status":500`))},
		{name: "errors that tell of the inside", caught: "json/malformed/null", answer: of(post, 400, replaced(`"detail":"`, `"detail":"redis: nil `))},
		{name: "errors that do not say where", caught: "json/refused/the second has no field", answer: of(post, 400, replaced("message ", "row "))},
		{name: "no hint for v1's text", caught: "xml/refused/v1's text", answer: of(post, 400, replaced("QSTv2 calls this body", "unknown"))},

		{name: "JSON by default", caught: "pull/no format", request: query(func(q url.Values) {
			if !q.Has("format") {
				q.Set("format", "json")
			}
		})},
		{name: "Accept is not heard", caught: "accept/application/json", request: func(r *http.Request, body string) string { r.Header.Del("Accept"); return body }},
		{name: "Accept wins", caught: "accept/text/xml, format=json", request: func(r *http.Request, body string) string {
			if r.Header.Get("Accept") != "" {
				return query(func(q url.Values) { q.Del("format") })(r, body)
			}
			return body
		}},
		{name: "max is not heard", caught: "pull/max/max=1", request: query(func(q url.Values) { q.Del("max") })},
		{name: "no bound of max", caught: "bounds/max/counted", answer: of(get, 200, func(r *http.Response, body string) string {
			if r.Request.URL.Query().Get("max") == "1001" {
				return strings.Replace(body, "]", `,{"id":"1001","body":"x"}]`, 1)
			}
			return body
		})},
		{name: "50 by default", caught: "bounds/max/100 by default", request: query(func(q url.Values) {
			if !q.Has("max") {
				q.Set("max", "50")
			}
		})},
		{name: "names of parameters in any case", caught: "pull/parameter/names in capitals", request: query(func(q url.Values) {
			for name := range q {
				if lower := strings.ToLower(name); lower != name {
					q.Set(lower, q.Get(name))
				}
			}
		})},
		{name: "unknown parameters are refused", caught: "pull/parameter/an unknown one", request: query(func(q url.Values) {
			if q.Has("foo") {
				q.Set("max", "x")
			}
		})},
		{name: "bad parameters are ignored", caught: "pull/refused/max=abc", request: query(func(q url.Values) {
			if _, err := strconv.Atoi(q.Get("max")); err != nil {
				q.Del("max")
			}
		})},
		{name: "long-polling=1 is true", caught: "pull/refused/long-polling=1", request: query(func(q url.Values) {
			if q.Get("long-polling") == "1" {
				q.Set("long-polling", "false")
			}
		})},
		{name: "no long polls", caught: "poll/held until a message arrives", request: query(func(q url.Values) { q.Del("long-polling") })},
		{name: "long polls always", caught: "poll/not held unless asked for", request: query(func(q url.Values) { q.Set("long-polling", "true") })},
		{name: "wait is not heard", caught: "poll/wait/the wait is over", request: query(func(q url.Values) { q.Del("wait") })},
		{name: "a long poll does not confirm", caught: "poll/wait/the wait is over, with a good ETag", request: query(func(q url.Values) {
			if q.Has("long-polling") {
				q.Del("etag")
			}
		})},

		{name: "numbers are floats", caught: "json/number/beyond int64", answer: of(get, 200, func(r *http.Response, body string) string {
			var l []map[string]any
			if json.Unmarshal([]byte(body), &l) == nil && len(l) > 0 {
				b, _ := json.Marshal(l)
				return string(b)
			}
			return body
		})},
		{name: "keys are sorted", caught: "json/name/in their order", answer: of(get, 200, func(r *http.Response, body string) string {
			var l []map[string]any
			d := json.NewDecoder(strings.NewReader(body))
			d.UseNumber()
			if d.Decode(&l) == nil && len(l) > 0 {
				b, _ := json.Marshal(l)
				return string(b)
			}
			return body
		})},
		{name: "an array of one is its value", caught: "json/property/an array of one", answer: of(get, 200, replaced(`["a"]`, `"a"`))},
		{name: "text is trimmed", caught: "text/white space around", request: pushed(func(s string) string { return strings.ReplaceAll(s, `  x`, `x`) })},
		{name: "CR LF becomes LF", caught: "text/CR LF", request: pushed(func(s string) string { return strings.ReplaceAll(s, `\r\n`, `\n`) })},
		{name: "text is normalised", caught: "text/not normalised", request: pushed(func(s string) string { return strings.ReplaceAll(s, "e\u0301", "\u00e9") })},
		{name: "control characters are dropped", caught: "text/control characters", request: pushed(func(s string) string { return strings.ReplaceAll(s, `\u0001`, "") })},
		{name: "emoji are cut", caught: "text/emoji", request: pushed(func(s string) string { return strings.ReplaceAll(s, "\U0001F600", "?") })},
		{name: "XML of JSON has raw line ends in attributes", caught: "text/one LF", answer: of(get, 200, replaced("&#xA;", "\n"))},
		{name: "entities are expanded", caught: "xml/refused/an entity of its own", request: pushed(func(s string) string {
			return strings.NewReplacer(`<!DOCTYPE messages [<!ENTITY e "x">]>`, "", "&e;", "x").Replace(s)
		})},
		{name: "unknown elements are dropped", caught: "xml/refused/another empty element", request: pushed(func(s string) string { return strings.ReplaceAll(s, `<urgent/>`, `<body>x</body>`) })},
		{name: "namespaces are dropped", caught: "xml/refused/a default namespace", request: pushed(func(s string) string { return strings.ReplaceAll(s, ` xmlns="urn:x"`, "") })},
		{name: "an XML declaration is not believed", caught: "charset/ISO-8859-1", request: pushed(func(s string) string { return strings.ReplaceAll(s, "ISO-8859-1", "Windows-1251") })},
		{name: "JSON may have a comma at its end", caught: "json/malformed/a comma after the last message", request: pushed(func(s string) string { return strings.ReplaceAll(s, ",]", "]") })},
		{name: "JSON may be lines", caught: "json/malformed/lines of objects", request: pushed(func(s string) string {
			if strings.Count(s, "\n") == 1 && strings.HasPrefix(s, "{") {
				return "[" + strings.ReplaceAll(s, "\n", ",") + "]"
			}
			return s
		})},
		{name: "the last of two keys counts", caught: "json/refused/a property twice", request: pushed(func(s string) string { return strings.ReplaceAll(s, `"p":1,"p":2`, `"p":2`) })},
		{name: "objects are dropped", caught: "json/refused/an object", request: pushed(func(s string) string { return strings.ReplaceAll(s, `"p":{"a":1}`, `"p":1`) })},

		{name: "gzip is not understood", caught: "gzip/JSON", request: func(r *http.Request, body string) string { r.Header.Del("Content-Encoding"); return body }},
		{name: "gzip's checksum is not checked", caught: "gzip/refused/a wrong checksum", request: func(r *http.Request, body string) string {
			if r.Header.Get("Content-Encoding") != "gzip" {
				return body
			}
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				return body
			}
			plain, _ := io.ReadAll(z)
			r.Header.Del("Content-Encoding")
			return string(plain)
		}},
		{name: "types are not looked at", caught: "type/wrong/text/plain", request: func(r *http.Request, body string) string { r.Header.Del("Content-Type"); return body }},
		{name: "a type is needed", caught: "type/none/XML", request: func(r *http.Request, body string) string {
			if r.Header.Get("Content-Type") == "" {
				r.Header.Set("Content-Type", "text/plain")
			}
			return body
		}},
		{name: "parameters of types are not understood", caught: "type/JSON with a charset", request: func(r *http.Request, body string) string {
			if strings.Contains(r.Header.Get("Content-Type"), ";") {
				r.Header.Set("Content-Type", "x/y")
			}
			return body
		}},

		{name: "the parties are exchanged", caught: "urls/POST to the application", request: func(r *http.Request, body string) string {
			if r.Method == post {
				return path(func(p string) string { return strings.Replace(p, "/application", "/gateway", 1) })(r, body)
			}
			return body
		}},
		{name: "channels in any case", caught: "urls/names that hold a queue's name", request: path(func(p string) string { return strings.ReplaceAll(p, "/Conformance-", "/conformance-") })},
		{name: "channels end at a dot", caught: "urls/names that hold a queue's name", request: path(func(p string) string {
			channel, end, _ := strings.Cut(strings.TrimPrefix(p, "/v2/channels/"), "/")
			channel, _, _ = strings.Cut(channel, ".")
			return strings.TrimSuffix("/v2/channels/"+channel+"/"+end, "/")
		})},
		{name: "paths are decoded twice", caught: "channel/refused/encoded twice", request: func(r *http.Request, body string) string {
			if p, err := url.PathUnescape(r.URL.Path); err == nil {
				r.URL.Path, r.URL.RawPath = p, ""
			}
			return body
		}},
		{name: "a slash at the end redirects", caught: "urls/POST to the gateway, with a slash", instead: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/") {
				return false
			}
			http.Redirect(w, r, strings.TrimSuffix(r.URL.Path, "/"), http.StatusMovedPermanently)
			return true
		}},
		{name: "PUT is POST", caught: "method/PUT", request: func(r *http.Request, body string) string {
			if r.Method == http.MethodPut {
				r.Method = post
			}
			return body
		}},
		{name: "HEAD is GET", caught: "method/HEAD", instead: func(w http.ResponseWriter, r *http.Request) bool { return r.Method == http.MethodHead }},
		{name: "405 without Allow", caught: "method/DELETE", answer: drop("Allow")},

		{name: "a phone's ETag has quotes", caught: "version1/incoming/the ETag is the last id", answer: func(r *http.Response, body string) string {
			if e := r.Header.Get("ETag"); e != "" && strings.HasPrefix(r.Request.URL.Path, "/v1/") {
				r.Header.Set("ETag", `"`+e+`"`)
			}
			return body
		}},
		{name: "a phone is given a body", caught: "version1/form/only a body", answer: of(get, 200, func(_ *http.Response, body string) string {
			return strings.NewReplacer("<text>", "<body>", "</text>", "</body>").Replace(body)
		})},
		{name: "a phone is given fractions of seconds", caught: "version1/form/when in UTC", answer: of(get, 200, replaced(`:03Z"`, `:03.000Z"`))},
		{name: "a phone's report confirms", caught: "version1/outgoing/by POST", request: func(r *http.Request, body string) string {
			if strings.HasSuffix(r.URL.Path, "/outgoing") && strings.Contains(body, `"o2"],"failed":[]`) {
				r.Header.Set("If-None-Match", "o2")
			}
			return body
		}},
	}
}
