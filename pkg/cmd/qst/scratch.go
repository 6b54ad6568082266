package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// mark is the subject of doctor's own messages.
const mark = "qst doctor"

// tryQueue checks what needs a queue, in the channel's own one.
func (d *doctor) tryQueue(ctx context.Context, watch time.Duration) {
	q := &queueDoctor{doctor: d, url: mailbox(d.url), run: strconv.FormatUint(rand.Uint64(), 36)} //nolint:gosec // no secret
	if q.empty(ctx) && q.roundTrip(ctx) {
		q.conditional(ctx)
		q.large(ctx)
		q.wakes(ctx)
		q.longPoll(ctx, watch)
	}
}

// mailbox returns the URL of the channel's own queue.
func mailbox(u *url.URL) *url.URL {
	own := *u
	path := strings.TrimSuffix(own.Path, "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/gateway"), "/application")
	own.Path, own.RawPath = path, ""
	return &own
}

// queueDoctor examines a way by means of a queue.
type queueDoctor struct {
	*doctor

	url *url.URL
	run string // tells this call's messages from an earlier one's
}

// get pulls, as JSON; p may have further parameters.
func (q *queueDoctor) get(ctx context.Context, p probe) (observation, []qst.Message) {
	if p.query == nil {
		p.query = url.Values{}
	}
	p.query.Set("format", "json")
	p.query.Set("max", "1000")
	o := q.try(ctx, q.url, p)
	if o.status != http.StatusOK || o.err != nil {
		return o, nil
	}
	body := o.body
	if o.header.Get("Content-Encoding") == "gzip" {
		body = gunzip(body)
	}
	msgs, err := qst.Decode(qst.JSON, "", body, qst.NoLimits())
	if err != nil {
		o.err = err
	}
	return o, msgs
}

// confirm pulls and brings an ETag.
func (q *queueDoctor) confirm(ctx context.Context, etag string) (observation, []qst.Message) {
	return q.get(ctx, probe{query: url.Values{"etag": {etag}}})
}

// put pushes messages with these bodies. It reports whether they were taken.
func (q *queueDoctor) put(ctx context.Context, bodies ...string) (observation, bool) {
	msgs := make([]qst.Message, len(bodies))
	for i, body := range bodies {
		msgs[i] = qst.Message{ID: "qst-doctor-" + q.run + "-" + strconv.FormatUint(rand.Uint64(), 36), Subject: mark, Body: body} //nolint:gosec // no secret
	}
	p := probe{method: http.MethodPost, body: qst.AppendJSON(nil, msgs), header: http.Header{"Content-Type": {qst.JSON.MediaType()}}}
	if len(p.body) > 64<<10 {
		// Who refuses a large one may do so by a reset in the middle of it, before which
		// the reason is not heard. This asks before it sends.
		p.header.Set("Expect", "100-continue")
	}
	o := q.try(ctx, q.url, p)
	return o, o.err == nil && o.status == http.StatusOK
}

// empty sees to it that the queue is doctor's own, and empty.
func (q *queueDoctor) empty(ctx context.Context) bool {
	o, msgs := q.get(ctx, probe{})
	if o.err != nil || o.status != http.StatusOK {
		q.wrong("queue", "pulling from "+q.url.Path+": "+o.String(), "")
		return false
	}
	for i := range msgs {
		if msgs[i].Subject != mark {
			q.wrong("queue", q.url.Path+" holds messages that are not doctor's; nothing was confirmed", "give --scratch a channel that nobody uses")
			return false
		}
	}
	if etag := o.header.Get("ETag"); etag != "" {
		q.confirm(ctx, etag)
	}
	return true
}

// roundTrip checks that a message comes back with an ETag, and is gone when that is
// brought. Without it there is nothing to go on with.
func (q *queueDoctor) roundTrip(ctx context.Context) bool {
	text := "round trip " + q.run + strings.Repeat(" and text for a proxy to compress", 60)
	if o, ok := q.put(ctx, text); !ok {
		q.wrong("push", o.String(), q.pushAdvice(&o))
		return false
	}
	q.okf("push", "taken")
	o, msgs := q.get(ctx, probe{header: http.Header{"Accept-Encoding": {"gzip"}}})
	if o.err != nil || o.status != http.StatusOK {
		q.wrong("pull", o.String(), "")
		return false
	}
	if len(msgs) == 0 {
		q.wrong("cache", "the queue was empty, then a message was pushed, and the queue still looks empty: answers are cached, although they say no-store",
			q.setting("nginx: proxy_cache off", "HAProxy: no http-request cache-use"))
		return false
	}
	if msgs[0].Body != text {
		q.wrong("pull", "the message came back changed", "something on the way rewrites bodies")
	}
	if coding := o.header.Get("Content-Encoding"); coding != "" {
		q.note("compression", "answers are compressed ("+coding+") on the way, although the service does not", "that is why ETags get weak or lost, and QST answers are small: "+
			q.setting("nginx: gzip off in this location", "HAProxy: no filter compression"))
	}
	return q.confirms(ctx, &o)
}

// confirms checks the ETag of o.
func (q *queueDoctor) confirms(ctx context.Context, o *observation) bool {
	etag := o.header.Get("ETag")
	if etag == "" {
		q.wrong("etag", "answers lose their ETag on the way: nothing can be confirmed, and the same messages come for ever",
			q.setting("nginx: no proxy_hide_header or add_header for ETag, gzip off; nginx before 1.7.3 drops it when it compresses", "HAProxy: no http-response del-header ETag"))
		return false
	}
	parsed, ok := qst.ParseETag(etag)
	switch {
	case !ok:
		q.wrong("etag", "the ETag was rewritten to "+etag, "find what writes ETags of its own: "+q.setting("nginx: etag off, no add_header ETag", "HAProxy: no http-response set-header ETag"))
		return false
	case strings.HasPrefix(etag, "W/"):
		q.note("etag", "a proxy makes the ETag weak (W/…): this service takes it, QST version 1 clients may not", "compression does that: "+
			q.setting("nginx: gzip off in this location", "HAProxy: no filter compression"))
	case etag != parsed.String():
		q.note("etag", "a proxy changes the ETag to "+etag+": this service takes it, other clients may not", "compression does that (Apache: BrotliAlterETag, DeflateAlterETag NoChange)")
	}
	after, msgs := q.confirm(ctx, etag)
	confirmed := after.header.Get("Qst-Confirmed") // in Go's spelling
	switch {
	case after.err != nil || after.status != http.StatusOK:
		q.wrong("etag", "bringing the ETag: "+after.String(), "")
		return false
	case len(msgs) > 0 || confirmed == "0":
		q.wrong("etag", "the ETag does not get back to the service: messages are not confirmed", "something drops or changes the query string: "+
			q.setting("nginx: proxy_pass with variables needs $is_args$args", "HAProxy: no http-request set-query"))
		return false
	case confirmed == "":
		q.note("etag", "confirms, but the header QST-Confirmed is removed on the way", "let it through: "+
			q.setting("nginx: no proxy_hide_header", "HAProxy: no http-response del-header"))
	default:
		q.okf("etag", "survives the round trip, and confirms")
	}
	return true
}

// conditional checks If-None-Match, by which other clients confirm.
func (q *queueDoctor) conditional(ctx context.Context) {
	if o, ok := q.put(ctx, "conditional"); !ok {
		q.wrong("push", o.String(), q.pushAdvice(&o))
		return
	}
	o, _ := q.get(ctx, probe{})
	etag := o.header.Get("ETag")
	after, msgs := q.get(ctx, probe{header: http.Header{"If-None-Match": {etag}}})
	switch {
	case after.status == http.StatusNotModified:
		q.wrong("conditional", "a proxy answers If-None-Match itself, with a 304: clients that confirm by it never do",
			q.setting("nginx: proxy_cache off (a cache answers conditions)", "HAProxy: no http-request cache-use"))
	case after.err != nil || after.status != http.StatusOK:
		q.wrong("conditional", after.String(), "")
	case len(msgs) > 0:
		q.wrong("conditional", "If-None-Match does not get through to the service: clients that confirm by it never do",
			q.setting("nginx: proxy_cache off (it drops conditions), no proxy_set_header If-None-Match", "HAProxy: no http-request del-header If-None-Match"))
	default:
		q.okf("conditional", "If-None-Match gets through")
		return
	}
	q.confirm(ctx, etag) // it must not stay
}

// large checks that batches of the usual limit, 1 MiB, come through in both directions.
func (q *queueDoctor) large(ctx context.Context) {
	bodies := make([]string, 20)
	for i := range bodies {
		bodies[i] = strings.Repeat("0123456789abcdef", 3000) // 48 KB, under the 64 KiB a message may have
	}
	o, ok := q.put(ctx, bodies...)
	switch {
	case ok:
		q.okf("size", "a batch of nearly 1 MB is taken")
	case o.status == http.StatusRequestEntityTooLarge && !o.problem():
		q.wrong("size", "a batch of nearly 1 MB is refused on the way: "+o.String(), q.pushAdvice(&o))
		return
	case o.status == http.StatusRequestEntityTooLarge:
		q.note("size", "the service is configured for less than 1 MiB: "+o.detail(), "give clients the same limit")
		return
	default:
		q.wrong("size", "pushing a batch of nearly 1 MB: "+o.String(), q.pushAdvice(&o))
		return
	}
	got, msgs := q.get(ctx, probe{})
	if got.err != nil || got.status != http.StatusOK || len(msgs) != len(bodies) {
		q.wrong("size", fmt.Sprintf("a large answer does not arrive whole: %s (%d bytes)", got.String(), len(got.body)),
			q.setting("nginx: proxy_max_temp_file_size, proxy_buffers, and the disk it buffers on", "HAProxy: timeout client"))
	}
	for range 3 { // small answers, if a large one does not come
		o, rest := q.confirm(ctx, got.header.Get("ETag"))
		if got = o; len(rest) == 0 {
			return
		}
	}
}

// pushAdvice says what refuses a push.
func (q *queueDoctor) pushAdvice(o *observation) string {
	q.recognise(o)
	switch s := o.status; {
	case s != 0 && o.problem():
		return "the service says so itself"
	case s == http.StatusRequestEntityTooLarge:
		return "clients throw batches away on a 413: " +
			q.setting("nginx: client_max_body_size 2m", "HAProxy: no http-request deny by size; a firewall's limit")
	case s == http.StatusMethodNotAllowed, s == http.StatusForbidden, s == http.StatusNotImplemented:
		return "a proxy lets no POST through: " +
			q.setting("nginx: no limit_except, no if ($request_method …); a firewall's rules", "HAProxy: no http-request deny by method; a firewall's rules")
	case s == http.StatusRequestTimeout, s == http.StatusGatewayTimeout, s == http.StatusBadGateway, s == 0:
		return "the request does not get there whole, or its answer not back: " +
			q.setting("nginx: client_body_timeout, proxy_send_timeout and the disk it buffers on", "HAProxy: timeout client, timeout http-request")
	default:
		return ""
	}
}

// gunzip returns what b was, or nothing.
func gunzip(b []byte) []byte {
	plain := new(bytes.Buffer)
	if err := decompress(plain, b); err != nil {
		return nil
	}
	return plain.Bytes()
}
