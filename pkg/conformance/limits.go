package conformance

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// tooLarge is the sentence about what is larger than a limit.
const tooLarge = `this batch can never be taken: malformed, too large, wrong type`

// known says what is missing if a limit is not known, or beyond what a case can try.
func known(name string, value func(l ServerLimits) int, most int) func(t Target) string {
	return func(t Target) string {
		switch n := value(t.Limits); {
		case n == 0:
			return "it needs to be told the limit " + name
		case n > most:
			return fmt.Sprintf("the limit is too far away to be tried: %s=%d", name, n)
		}
		return ""
	}
}

// sized is a JSON batch of n messages from id first on, each with a body of size bytes.
func sized(first, n, size int) string {
	var l []string
	for i := range n {
		l = append(l, fmt.Sprintf(`{"id":"%d","body":"%s"}`, first+i, strings.Repeat("b", size)))
	}
	return "[" + strings.Join(l, ",") + "]"
}

func pad(s string, n int) string {
	return s[:len(s)-1] + strings.Repeat(" ", max(n-len(s), 0)) + s[len(s)-1:]
}

func limitCases() []Case {
	bytes := about(Limits, "limits/push bytes", tooLarge)
	more := func(g *group, needs func(Target) string, name, header string, body func(l ServerLimits) string, details ...string) {
		for _, zipped := range []bool{false, true} {
			name, header := name, header
			if zipped {
				name, header = name+", zipped", header+"\n"+gzipBody
			}
			g.add(name, func(t *exam) {
				b := body(t.Limits)
				if zipped {
					b = zip(b)
				}
				path := t.channel()
				t.refusedPush(path, header, b, only(http.StatusRequestEntityTooLarge), details...)
				t.empty(t.b, path)
			}).needs = needs
		}
	}
	pushBytes := known("push-bytes", func(l ServerLimits) int { return l.PushBytes }, 64<<20)
	more(bytes, pushBytes, "one byte more of JSON", typeJSON, func(l ServerLimits) string { return pad(oneJSON, l.PushBytes+1) })
	more(bytes, pushBytes, "one byte more of XML", typeXML, func(l ServerLimits) string {
		return strings.Replace(oneXML, "><", ">"+strings.Repeat("\n", l.PushBytes+1-len(oneXML))+"<", 1)
	})
	more(bytes, pushBytes, "one byte more after the end", typeJSON, func(l ServerLimits) string {
		return oneJSON + strings.Repeat("\n", l.PushBytes+1-len(oneJSON))
	})
	more(bytes, pushBytes, "six times as much", typeJSON, func(l ServerLimits) string { return pad("[]", 6*l.PushBytes) })
	more(bytes, pushBytes, "six times as much text", typeJSON, func(l ServerLimits) string { return sized(1, 1, 6*l.PushBytes) })
	more(bytes, pushBytes, "six times as much, of no type", "Accept: */*", func(l ServerLimits) string { return pad("[]", 6*l.PushBytes) })
	bytes.add("one byte more, chunked", func(t *exam) {
		path := t.channel()
		body := pad(oneJSON, t.Limits.PushBytes+1)
		a := t.raw(t.a, "POST "+path+" HTTP/1.1\nHost: HOST\nContent-Type: application/json\nTransfer-Encoding: chunked\nConnection: close\n\n"+
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
		t.refused(a, only(http.StatusRequestEntityTooLarge))
		t.empty(t.b, path)
	}).needs = pushBytes
	bytes.add("just so", func(t *exam) {
		path := t.channel()
		t.stored(t.do(t.a, "POST", path, pad(oneJSON, t.Limits.PushBytes), typeJSON), "json", 1, 0)
		t.stored(t.do(t.b, "POST", path, zip(pad(oneJSON, t.Limits.PushBytes)), typeJSON, gzipBody), "json", 0, 1)
	}).needs = pushBytes

	xmlOf := func(n int) string {
		return "<messages>" + strings.Repeat(`<message from="a"><body>x</body></message>`, n) + "</messages>"
	}
	messages := about(Limits, "limits/push messages", tooLarge)
	pushMessages := known("push-messages", func(l ServerLimits) int { return l.PushMessages }, 10000)
	more(messages, pushMessages, "one more of JSON", typeJSON, func(l ServerLimits) string { return numbered(1, l.PushMessages+1) })
	more(messages, pushMessages, "one more of XML", typeXML, func(l ServerLimits) string { return xmlOf(l.PushMessages + 1) })
	messages.add("just so", func(t *exam) {
		path, n := t.channel(), t.Limits.PushMessages
		t.stored(t.do(t.a, "POST", path, numbered(1, n), typeJSON), "json", n, 0)
		t.wantIDs(t.pull(t.b, path, "max=1000"), span(1, min(n, 1000)))
		t.stored(t.do(t.b, "POST", t.channel(), xmlOf(n), typeXML), "xml", n, 0)
	}).needs = func(t Target) string {
		if l := t.Limits; l.QueueMessages > 0 && l.QueueMessages < l.PushMessages {
			return "it needs a queue that has room for a batch"
		}
		return pushMessages(t)
	}

	// A little more than the limit counts with the fields' names in some servers: much more
	// is much more in all.
	size := about(Limits, "limits/message bytes", tooLarge)
	messageBytes := known("message-bytes", func(l ServerLimits) int { return l.MessageBytes }, 16<<20)
	over := func(l ServerLimits) string { return strings.Repeat("b", l.MessageBytes*5/4) }
	more(size, messageBytes, "a large body", typeJSON, func(l ServerLimits) string { return `{"body":"` + over(l) + `"}` })
	more(size, messageBytes, "a large property", typeJSON, func(l ServerLimits) string { return `{"body":"x","p":"` + over(l) + `"}` })
	more(size, messageBytes, "a large id", typeXML, func(l ServerLimits) string {
		return messageXML(`id="`+over(l)+`"`, "<body>x</body>")
	})
	more(size, messageBytes, "properties that are large together", typeXML, func(l ServerLimits) string {
		return messageXML(`id="1"`, "<body>x</body>"+strings.Repeat(`<property name="p" value="`+over(l)[:l.MessageBytes/16]+`"/>`, 20))
	})
	more(size, messageBytes, "the third is large", typeJSON, func(l ServerLimits) string {
		return `[{"body":"x"},{"body":"y"},{"body":"` + over(l) + `"}]`
	}, "message 3")
	size.add("three quarters", func(t *exam) {
		path, text := t.channel(), strings.Repeat("0123456789", t.Limits.MessageBytes*3/40)
		t.stored(t.do(t.a, "POST", path, `{"id":"1","body":"`+text+`"}`, typeJSON), "json", 1, 0)
		if l := t.messages(t.pull(t.b, path)); len(l) != 1 || l[0]["body"] != text {
			t.errorf("a long text came out changed, as %d messages", len(l))
		}
	}).needs = messageBytes

	return append(all(bytes, messages, size), append(queueLimits(), pullLimits()...)...)
}

var seconds = regexp.MustCompile(`^\d+$`)

// full checks the answer of a queue without room: retry, and when.
func (t *exam) full(a answer) {
	t.refused(a, only(http.StatusServiceUnavailable))
	if !seconds.MatchString(a.Header.Get("Retry-After")) {
		t.errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
}

func queueLimits() []Case {
	needs := known("queue-messages", func(l ServerLimits) int { return l.QueueMessages }, 5000)
	g := about(Limits, "limits/queue", `Never a 4xx for what may pass: old clients throw messages away on it. So a full queue and a rate limit are 503, not 429.`)
	// fill fills a queue but for room messages, and returns its path and how many it has.
	fill := func(t *exam, room int) (string, int) {
		path, n := t.channel(), t.Limits.QueueMessages-room
		size := n
		if t.Limits.PushMessages > 0 {
			size = min(size, t.Limits.PushMessages)
		}
		for first := 1; first <= n; first += size {
			t.push(t.a, path, numbered(first, min(first+size-1, n)))
		}
		return path, n
	}
	g.add("one more than there is room for", func(t *exam) {
		path, n := fill(t, 0)
		t.full(t.do(t.a, "POST", path, numbered(n+1, n+1), typeJSON))
		t.full(t.do(t.b, "POST", path, `<messages><message from="a"/></messages>`, typeXML))
	})
	g.add("all or nothing", func(t *exam) {
		path, n := fill(t, 1)
		t.full(t.do(t.a, "POST", path, numbered(n+1, n+2), typeJSON))
		t.stored(t.do(t.a, "POST", path, numbered(n+1, n+1), typeJSON), "json", 1, 0) // and the refused one is no duplicate
	})
	g.add("what is sent again needs no room", func(t *exam) {
		path, n := fill(t, 0)
		t.stored(t.do(t.a, "POST", path, numbered(n, n), typeJSON), "json", 0, 1)
		t.stored(t.do(t.a, "POST", path, `[]`, typeJSON), "json", 0, 0)
	})
	g.add("malformed is malformed", func(t *exam) {
		path, _ := fill(t, 0)
		t.refused(t.do(t.a, "POST", path, `[{"id":"11"}]`, typeJSON), only(400))
	})
	g.add("other queues have room", func(t *exam) {
		path, _ := fill(t, 0)
		t.push(t.a, path+"/gateway", numbered(1, 1))
		t.push(t.b, path+"/application", numbered(1, 1))
	})
	g.add("confirming makes room", func(t *exam) {
		path, n := fill(t, 0)
		t.confirmed(t.pull(t.b, path, "max=1", etag(t.pull(t.a, path, "max=1"))), 1)
		t.full(t.do(t.a, "POST", path, numbered(n+1, n+2), typeJSON))
		t.stored(t.do(t.b, "POST", path, numbered(n+1, n+1), typeJSON), "json", 1, 0)
		t.full(t.do(t.a, "POST", path, numbered(n+2, n+2), typeJSON))
	})
	for i := range g.cases {
		g.cases[i].needs = needs
	}
	return all(g)
}

func pullLimits() []Case {
	needs := known("pull-bytes", func(l ServerLimits) int { return l.PullBytes }, 1<<20)
	g := about(Limits, "limits/pull bytes", `The batch is also bounded in bytes of its JSON form, but always holds at least one message if there is one.`)
	for _, format := range []string{"json", "xml"} {
		g.add(format, func(t *exam) {
			path := t.channel()
			size := t.Limits.PullBytes / 3
			if t.Limits.MessageBytes > 0 {
				size = min(size, t.Limits.MessageBytes/2)
			}
			n := 4*t.Limits.PullBytes/size + 1 // several answers' worth, each of more than one message
			for i := range n {
				t.push(t.a, path, sized(i+1, 1, size))
			}
			var l []string
			query := ""
			for len(l) < n {
				a := t.do(t.b, "GET", path+"?max=100&format="+format+query, "")
				batch := t.parsed(a, format)
				if len(batch) == 0 || len(batch)*size > t.Limits.PullBytes {
					t.fatalf("%d messages of %d bytes each in an answer that is bounded to %d", len(batch), size, t.Limits.PullBytes)
				}
				for _, m := range batch {
					l = append(l, m.fields["id"])
				}
				query = "&" + etag(a)
			}
			if got := strings.Join(l, " "); got != span(1, n) {
				t.errorf("pulled %s", got)
			}
		}).needs = needs
	}
	g.add("one that is beyond it", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, sized(1, 1, t.Limits.PullBytes+100))
		t.push(t.a, path, sized(2, 1, t.Limits.PullBytes+100))
		a := t.pull(t.b, path)
		t.wantIDs(a, "1")
		a = t.pull(t.a, path, etag(a))
		t.confirmed(a, 1)
		t.wantIDs(a, "2")
	}).needs = func(t Target) string {
		if l := t.Limits; l.MessageBytes == 0 || l.MessageBytes < l.PullBytes+500 {
			return "it needs a message that may be larger than an answer"
		}
		return needs(t)
	}
	poll := about(Limits, "limits/long poll", `seconds a long poll is held at the most; more than the server's limit is that limit`)
	poll.add("a longer wait", func(t *exam) {
		for _, query := range []string{"wait=100000", "max=1"} {
			t.wantIDs(t.poll(t.longPoll(t.a, t.channel(), query)), "")
		}
	}).needs = func(t Target) string {
		if t.Limits.LongPoll == 0 || t.Limits.LongPoll > 5*time.Second {
			return "it needs to be told the limit long-poll, of at most 5s"
		}
		return ""
	}
	return all(g, poll)
}

// parsed reads an answer of a format.
func (t *exam) parsed(a answer, format string) []message {
	parse := parseJSON
	if format == "xml" {
		parse = parseXML
	}
	l, err := parse(a.Body)
	if err != nil {
		t.fatalf("%q is no batch: %v", a.Body, err)
	}
	return l
}
