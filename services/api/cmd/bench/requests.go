package main

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// requests are those of a contender, as they go over a wire. All contenders get
// the same message: the JSON of one that a gateway pushes.
type requests struct {
	push    func(channel string, body []byte) []byte         // stores a message
	publish func(channel string, body []byte) []byte         // sends it to a poll that waits; often the same
	poll    func(dst []byte, channel string, w *wire) []byte // appends the poll that follows the wire's last answer
	stream  bool                                             // a poll's answer has no end: the messages are its chunks
}

func serviceRequests() *requests {
	push := func(channel string, body []byte) []byte { return post("/v2/channels/"+channel, body) }
	return &requests{push: push, publish: push, poll: func(dst []byte, channel string, w *wire) []byte {
		dst = append(dst, "GET /v2/channels/"...)
		dst = append(append(dst, channel...), "?format=json&long-polling=true HTTP/1.1\r\nHost: bench\r\n"...)
		if len(w.etag) > 0 {
			dst = append(append(append(dst, "If-None-Match: "...), w.etag...), "\r\n"...)
		}
		return append(dst, "\r\n"...)
	}}
}

func nchanRequests() *requests {
	push := func(channel string, body []byte) []byte { return post("/push?id="+channel, body) }
	return &requests{push: push, publish: push, poll: func(dst []byte, channel string, w *wire) []byte {
		dst = append(append(append(dst, "GET /poll?id="...), channel...), " HTTP/1.1\r\nHost: bench\r\n"...)
		if len(w.modified) > 0 {
			dst = append(append(append(dst, "If-Modified-Since: "...), w.modified...), "\r\n"...)
			dst = append(append(append(dst, "If-None-Match: "...), w.etag...), "\r\n"...)
		}
		return append(dst, "\r\n"...)
	}}
}

func webdisRequests() *requests {
	put := func(command string) func(string, []byte) []byte {
		return func(channel string, body []byte) []byte {
			return request("PUT", "/"+command+"/"+channel, "application/json", body)
		}
	}
	return &requests{push: put("RPUSH"), publish: put("PUBLISH"), stream: true, poll: func(dst []byte, channel string, _ *wire) []byte {
		return fmt.Appendf(dst, "GET /SUBSCRIBE/%s HTTP/1.1\r\nHost: bench\r\n\r\n", channel)
	}}
}

func post(path string, body []byte) []byte { return request("POST", path, "application/json", body) }

func request(method, path, contentType string, body []byte) []byte {
	r := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", method, path, contentType, len(body))
	return append(r, body...)
}

// A message's id is a mark and so many digits: a request is made once, and gets a
// new id each time it is sent; an answer is searched for the ids in it.
const (
	mark       = "bench-"
	markDigits = 10
)

func markedID(n int) string { return fmt.Sprintf("%s%0*d", mark, markDigits, n) }

// marked is the JSON of a message with an id that renumber changes.
func marked(text string) []byte {
	return qst.AppendJSON(nil, []qst.Message{message(markedID(0), text)})
}

// renumber gives the message of a request another id.
func renumber(request []byte, n int) {
	digits := request[bytes.Index(request, []byte(`"`+mark))+len(mark)+1:][:markDigits]
	for i := range digits {
		digits[markDigits-1-i] = byte('0' + n%10)
		n /= 10
	}
}

// eachID calls got for each message in an answer's body.
func eachID(body []byte, got func(n int)) error {
	for {
		_, after, found := bytes.Cut(body, []byte(mark))
		if !found {
			return nil
		}
		if len(after) < markDigits {
			return fmt.Errorf("an id that is cut off: %q", after)
		}
		n, err := strconv.Atoi(string(after[:markDigits]))
		if err != nil {
			return fmt.Errorf("an id in an answer: %w", err)
		}
		got(n)
		body = after[markDigits:]
	}
}
