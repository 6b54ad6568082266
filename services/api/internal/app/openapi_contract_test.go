package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	validation "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// contract holds a replica to the document that it serves itself.
type contract struct {
	t *testing.T
	r *replica
	validator.Validator

	documented map[string]bool // "getChannel 404": whether it was seen
	operations map[string]string
}

func newContract(t *testing.T, r *replica) *contract {
	t.Helper()
	public, internal := do(t, "GET", r.URL+"/openapi.yaml", ""), do(t, "GET", r.Admin+"/openapi.yaml", "")
	if public.Status != http.StatusOK || public.Body != internal.Body {
		t.Fatalf("the document: %d, %d", public.Status, internal.Status)
	}
	d, err := libopenapi.NewDocument([]byte(public.Body))
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(d,
		config.WithFormatAssertions(), config.WithBodyDecoder("text/xml", xmlDecoder), config.WithBodyDecoder("application/xml", xmlDecoder),
		// Strict: what the document doesn't have is an error, also where JSON Schema
		// would let it pass. But for what may have any name: labels and properties.
		config.WithStrictMode(),
		config.WithStrictIgnorePaths("$.body.labels", "$.body.channels[*].labels", "$.body[*].*", "$.body.messages[*].message.*"),
		config.WithStrictIgnoredHeadersExtra("Accept", "Cache-Control", "Connection", "User-Agent", "X-Content-Type-Options"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c := &contract{t: t, r: r, Validator: v, documented: map[string]bool{}, operations: map[string]string{}}
	model, err := d.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			c.operations[strings.ToUpper(method)+" "+path] = o.OperationId
			for status := range o.Responses.Codes.FromOldest() {
				c.documented[o.OperationId+" "+status] = false
			}
		}
	}
	return c
}

// xmlDecoder is the validator's own, which takes an element without content for an
// empty text.
var xmlDecoder = content.DecoderFunc(func(in *content.DecodeInput) (any, error) {
	b, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	if slices.Contains(in.Schema.Type, "string") { // it isn't taken apart
		return string(b), nil
	}
	v, problems := schema_validation.TransformXMLToSchemaJSON(string(b), in.Schema)
	if len(problems) > 0 {
		return nil, errors.New(list(problems))
	}
	if v == "" {
		v = map[string]any{}
	}
	return v, nil
})

// ask sends a request, and expects a status and an answer as it is documented of
// the operation. header is "Name: value" each.
func (c *contract) ask(operation string, want int, target, body string, header ...string) answer {
	c.t.Helper()
	method, _, _ := strings.Cut(c.route(operation), " ")
	return c.askAs(method, operation, want, target, body, header...)
}

// askAs is ask with another method than the operation's.
func (c *contract) askAs(method, operation string, want int, target, body string, header ...string) answer {
	c.t.Helper()
	a := do(c.t, method, target, body, header...)
	if a.Status != want {
		c.t.Errorf("%s: %s %s: %d %s, want %d", operation, method, target, a.Status, a.Body, want)
		return a
	}
	if _, ok := c.documented[operation+" "+strconv.Itoa(want)]; !ok {
		c.t.Errorf("%s: %d is not documented", operation, want)
		return a
	}
	c.documented[operation+" "+strconv.Itoa(want)] = true
	req := c.request(operation, target, body, header...)
	if want < http.StatusBadRequest {
		if problems := c.invalid(req); len(problems) > 0 {
			c.t.Errorf("%s: %s %s %s is answered, but not documented: %s", operation, method, target, body, list(problems))
		}
		req = c.request(operation, target, body, header...)
	}
	if req.Method == http.MethodHead {
		a.Body = "" // it was asked with another method
	}
	resp := &http.Response{StatusCode: a.Status, Header: a.Header, Body: io.NopCloser(strings.NewReader(a.Body)), Request: req}
	if ok, problems := c.ValidateHttpResponse(req, resp); !ok {
		c.t.Errorf("%s: the answer %v is not as documented: %s", operation, a, list(problems))
	}
	return a
}

// decode reads an answer's JSON.
func (c *contract) decode(a answer, v any) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		c.t.Fatalf("%q: %v", a.Body, err)
	}
}

func (c *contract) route(operation string) string {
	for route, o := range c.operations {
		if o == operation {
			return route
		}
	}
	c.t.Fatalf("there is no %s", operation)
	return ""
}

func (c *contract) request(operation, target, body string, header ...string) *http.Request {
	method, _, _ := strings.Cut(c.route(operation), " ")
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return req
}

// invalid returns what of a request is not as documented.
func (c *contract) invalid(req *http.Request) []*validation.ValidationError {
	if req.Header.Get("Content-Encoding") == "gzip" {
		return nil // the validator reads bodies as they are
	}
	_, problems := c.ValidateHttpRequest(req)
	return problems
}

func list(problems []*validation.ValidationError) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "\n\t%s: %s", p.Message, p.Reason)
		for _, s := range p.SchemaValidationErrors {
			fmt.Fprintf(&b, "\n\t\t%s: %s", s.FieldPath, s.Reason)
		}
	}
	return b.String()
}

const (
	bearer = "Authorization: Bearer " + adminToken
	zipped = "Content-Encoding: gzip"
)

// A tour of everything the service answers. Requests that are taken, and all
// answers, are as openapi.yaml says; and there is nothing in openapi.yaml that the
// tour doesn't see, but for 500.
func TestOpenAPIContract(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), withAuth("QST_PUSH_MAX_BYTES=10KiB", "QST_QUEUE_MAX_MESSAGES=100")...)
	c := newContract(t, r)

	c.tour(s)
	c.withoutRedis(s)

	for seen, ok := range c.documented {
		if !ok && !strings.HasSuffix(seen, " 500") {
			t.Errorf("documented, but not seen: %s", seen)
		}
	}
}

// tour asks for everything that a replica with Redis answers. env is of its worker.
func (c *contract) tour(s *redistest.Server, env ...string) {
	c.t.Helper()
	c.service()
	c.channels()
	c.credentials()
	c.protocol()
	c.queues()
	c.version1()
	c.webhooks(s, env...)
	c.refusals()
}

func (c *contract) service() {
	c.ask("getHealth", 200, c.r.Admin+"/healthz", "")
	c.ask("getReadiness", 200, c.r.Admin+"/readyz", "")
	c.ask("getMetrics", 200, c.r.Admin+"/metrics", "")
	c.ask("getOpenAPI", 200, c.r.URL+"/openapi.yaml", "")
	c.ask("getFrontPage", 200, c.r.URL+"/", "")
	c.ask("getFrontPage", 200, c.r.Admin+"/", "")
	for operation, target := range map[string]string{
		"getHealth": c.r.Admin + "/healthz", "getReadiness": c.r.Admin + "/readyz",
		"getMetrics": c.r.Admin + "/metrics", "getOpenAPI": c.r.URL + "/openapi.yaml", "getFrontPage": c.r.URL + "/",
	} {
		c.askAs("POST", operation, 405, target, "")
	}
}

// base is the admin API's.
func (c *contract) base() string { return c.r.Admin + "/admin/v1/channels" }

func (c *contract) channels() {
	c.ask("listChannels", 200, c.base(), "", bearer)
	made := c.ask("createChannel", 201, c.base(), `{"name":"c","note":"Büro ✓","labels":{"site":"north","x/y":""},
		"settings":{"queue_max_messages":50,"queue_max_bytes":1000000,"retention":"90m","dedup_window":"0s","max_deliveries":2}}`, bearer, typeJSON)
	if made.Header.Get("Location") != "/admin/v1/channels/c" {
		c.t.Errorf("Location %q", made.Header.Get("Location"))
	}
	c.ask("createChannel", 409, c.base(), `{"name":"c"}`, bearer, typeJSON)
	c.ask("createChannel", 400, c.base(), `{"name":"d","colour":"red"}`, bearer, typeJSON)
	c.ask("createChannel", 413, c.base(), strings.Repeat(" ", 64<<10)+"{}", bearer, typeJSON)
	for i := range 3 {
		c.ask("createChannel", 201, c.base(), fmt.Sprintf(`{"name":"+%d"}`, i), bearer, typeJSON)
	}
	got := c.ask("getChannel", 200, c.base()+"/c", "", bearer)
	if got.Header.Get("ETag") != made.Header.Get("ETag") {
		c.t.Errorf("made with the ETag %s, read with %s", made.Header.Get("ETag"), got.Header.Get("ETag"))
	}
	match := "If-Match: " + got.Header.Get("ETag")
	c.ask("changeChannel", 428, c.base()+"/c", `{}`, bearer, typeJSON)
	c.ask("changeChannel", 413, c.base()+"/c", strings.Repeat(" ", 64<<10)+"{}", bearer, typeJSON, match)
	c.ask("changeChannel", 400, c.base()+"/c", `{"name":"d"}`, bearer, typeJSON, match)
	c.ask("changeChannel", 200, c.base()+"/c", `{"note":"","settings":{"max_deliveries":1}}`, bearer, typeJSON, match)
	c.ask("changeChannel", 412, c.base()+"/c", `{}`, bearer, typeJSON, match)
	c.ask("deleteChannel", 412, c.base()+"/c", "", bearer, match)
	c.ask("deleteChannel", 428, c.base()+"/c", "", bearer)
	c.ask("deleteChannel", 200, c.base()+"/+2", "", bearer, "If-Match: *")

	names, pages := []string{}, 0
	for next := "/admin/v1/channels?limit=1&label=" + url.QueryEscape("site=north"); next != ""; pages++ {
		page := c.ask("listChannels", 200, c.r.Admin+next, "", bearer)
		var l struct {
			Channels []struct{ Name string }
			Next     string
		}
		c.decode(page, &l)
		for _, ch := range l.Channels {
			names = append(names, ch.Name)
		}
		next = l.Next
	}
	if strings.Join(names, " ") != "c" || pages != 3 {
		c.t.Errorf("channels in the north: %v, on %d pages", names, pages)
	}
	c.ask("listChannels", 200, c.base()+"?prefix=%2B&after=%2B0", "", bearer)
	c.ask("listChannels", 400, c.base()+"?limit=1001", "", bearer)
	c.ask("listChannels", 200, c.base()+"?details=true", "", bearer)
	c.ask("listChannels", 400, c.base()+"?details=yes", "", bearer)
}

func (c *contract) credentials() {
	path := c.base() + "/c/credentials"
	for _, p := range parties {
		c.ask("createCredential", 201, path, fmt.Sprintf(
			`{"id":%q,"endpoint":%q,"rights":["pull","push"],"user":"someone","secret":%q,"note":"n","expires":"2100-01-01T00:00:00+02:00"}`,
			p.endpoint, p.endpoint, p.secret), bearer, typeJSON)
	}
	c.ask("createCredential", 201, path, `{"endpoint":"gateway"}`, bearer, typeJSON)
	c.ask("createCredential", 201, path, `{"id":"pull-only","endpoint":"mailbox","rights":["pull"]}`, bearer, typeJSON)
	c.ask("createCredential", 409, path, `{"id":"gateway","endpoint":"gateway"}`, bearer, typeJSON)
	c.ask("createCredential", 400, path, `{"endpoint":"gateway","secret":"short"}`, bearer, typeJSON)
	c.ask("createCredential", 413, path, strings.Repeat(" ", 64<<10)+"{}", bearer, typeJSON)
	c.ask("listCredentials", 200, path, "", bearer)
	c.ask("revokeCredential", 204, path+"/pull-only", "", bearer)
	c.ask("revokeCredential", 404, path+"/pull-only", "", bearer)
}

// party is how an endpoint of channel "c" is used.
type party struct{ endpoint, secret, path, push, pull string }

var parties = []party{
	{"gateway", "the gateway's own", "/v2/channels/c/gateway", "pushAsGateway", "pullAsGateway"},
	{"application", "the application's", "/v2/channels/c/application", "pushAsApplication", "pullAsApplication"},
	mailbox,
}

var mailbox = party{"mailbox", "of the mailbox <&", "/v2/channels/c", "pushToMailbox", "pullFromMailbox"}

func (p party) auth() string { return basic("someone", p.secret) }

func (c *contract) protocol() {
	for i, p := range parties {
		push, pull, url := p.push, p.pull, c.r.URL+p.path
		auth, other := p.auth(), parties[(i+1)%len(parties)].auth()
		eventually(c.t, "the credential is known", func() error {
			return status(do(c.t, "POST", url, "[]", auth).Status, http.StatusOK)
		})
		c.ask(push, 200, url, `[]`, auth, typeJSON)
		c.ask(push, 200, url, `{"body":"x"}`, auth, typeJSON)
		c.ask(push, 200, url, `[{"id":"1","from":"sms://1","to":"sms://2","when":"now","subject":"é","body":"","n":1.10,"a":[1,"x",true],"e":[]}]`, auth, typeJSON)
		c.ask(push, 200, url, `<messages/>`, auth, typeXML)
		c.ask(push, 200, url, `<messages><message from="sms://1"><body>1</body></message></messages>`, auth, "Content-Type: application/xml")
		c.ask(push, 200, url, `<messages><message id="1" from="sms://1" to="sms://2" when="now"><subject>&lt;</subject><body>b</body>`+
			`<property name="a" value="1"/><property name="a" value=""/></message><message to="sms://3"/></messages>`, auth, typeXML)
		c.ask(push, 200, url, zip(`[{"body":"zipped"}]`), auth, typeJSON, zipped)
		c.ask(push, 400, url, `[{"id":"1"}]`, auth, typeJSON)
		c.ask(push, 413, url, `[{"body":"`+strings.Repeat("x", 10<<10)+`"}]`, auth, typeJSON)
		c.ask(push, 415, url, `x`, auth, "Content-Type: text/plain")
		c.ask(push, 415, url, `x`, auth, typeJSON, "Content-Encoding: br")
		c.ask(push, 503, url, `[`+strings.Repeat(`{"to":"x"},`, 200)+`{"to":"x"}]`, auth, typeJSON)
		c.ask(push, 401, url, `[]`, typeJSON)
		c.ask(push, 403, url, `[]`, other, typeJSON)
		c.askAs("DELETE", push, 405, url, "", auth)

		c.ask(pull, 401, url, "")
		c.ask(pull, 403, url, "", other)
		c.ask(pull, 400, url+"?max=x", "", auth)
		c.ask(pull, 200, url+"?max=0&etag=garbage", "", auth)
		c.askAs("PUT", pull, 405, url, "", auth)
	}
	// The mailbox keeps its messages for queues to look at.
	for _, p := range parties[:2] {
		auth, pull, url := p.auth(), p.pull, c.r.URL+p.path
		first := c.ask(pull, 200, url+"?format=json&max=2&long-polling=true&wait=0.5", "", auth)
		second := c.ask(pull, 200, url+"?max=2&"+etag(first), "", auth, "Accept: text/xml")
		confirmed(c.t, second, 2)
		third := c.ask(pull, 200, url, "", auth, "If-None-Match: "+tagged(c.t, second), "Accept: application/json")
		confirmed(c.t, third, 2)
		last := c.ask(pull, 200, url+"?long-polling=true&wait=0&format=xml&"+etag(third), "", auth)
		if last.Body != "<messages/>" {
			c.t.Errorf("after all is confirmed: %s", last.Body)
		}
		c.ask(pull, 200, url+"?format=json&long-polling=false&etag=garbage", "", auth)
	}
	c.die()
}

// die has the mailbox's first message become a dead letter: two others are confirmed.
func (c *contract) die() {
	url := c.r.URL + mailbox.path
	for range 2 {
		c.ask(mailbox.pull, 200, url+"?max=1", "", mailbox.auth()) // the message
		proof := c.ask(mailbox.pull, 200, url+"?max=1&format=json", "", mailbox.auth())
		c.ask(mailbox.pull, 200, url+"?max=0&"+etag(proof), "", mailbox.auth())
	}
}

func (c *contract) queues() {
	c.ask("getChannel", 200, c.base()+"/c", "", bearer)
	path := c.base() + "/c/queues"
	c.ask("listQueues", 200, path, "", bearer)
	c.ask("listStates", 200, strings.TrimSuffix(path, "queues")+"states?limit=5", "", bearer)
	c.ask("getQueue", 200, path+"/inbound", "", bearer)
	box := c.ask("getQueue", 200, path+"/mailbox", "", bearer)
	path += "/mailbox"
	var q struct{ Messages, Dead int }
	if c.decode(box, &q); q.Messages < 2 || q.Dead != 1 {
		c.t.Fatalf("the mailbox: %s", box.Body)
	}
	page := struct {
		Messages []struct{ ID string }
		Next     string
	}{Next: "/admin/v1/channels/c/queues/mailbox/messages?limit=3"}
	seen := 0
	for page.Next != "" {
		a := c.ask("peekMessages", 200, c.r.Admin+page.Next, "", bearer)
		page.Next = ""
		c.decode(a, &page)
		seen += len(page.Messages)
	}
	if seen != q.Messages {
		c.t.Errorf("peeked at %d messages of %d", seen, q.Messages)
	}
	c.overview()
	c.ask("peekMessages", 200, path+"/messages?text=false&limit=1", "", bearer)
	c.ask("peekMessages", 400, path+"/messages?text=no", "", bearer)
	c.decode(c.ask("listDeadMessages", 200, path+"/dead?limit=1", "", bearer), &page)
	dead := path + "/dead/" + page.Messages[0].ID
	c.ask("listDeadMessages", 200, path+"/dead?after="+page.Messages[0].ID, "", bearer)
	c.ask("requeueDeadMessage", 204, dead+"/requeue", "", bearer)
	c.ask("requeueDeadMessage", 404, dead+"/requeue", "", bearer)
	c.ask(mailbox.push, 200, c.r.URL+mailbox.path, `[{"body":"x"},{"body":"x"},{"body":"x"}]`, mailbox.auth(), typeJSON)
	c.die()
	page.Messages = nil
	c.decode(c.ask("listDeadMessages", 200, path+"/dead", "", bearer), &page)
	if len(page.Messages) == 0 {
		c.t.Fatal("no dead letter")
	}
	dead = path + "/dead/" + page.Messages[0].ID
	c.ask("dropDeadMessage", 204, dead, "", bearer)
	c.ask("dropDeadMessage", 404, dead, "", bearer)

	c.ask(mailbox.push, 200, c.r.URL+mailbox.path, `{"id":"to be cancelled","body":"x"}`, mailbox.auth(), typeJSON)
	one := path + "/messages/to%20be%20cancelled"
	seen1 := c.ask("getMessage", 200, one+"?text=false", "", bearer)
	c.ask("getMessage", 404, path+"/messages/1-1", "", bearer)
	c.ask("cancelMessage", 428, one, "", bearer)
	c.ask("cancelMessage", 412, one, "", bearer, `If-Match: "1-1-0"`)
	c.ask("cancelMessage", 204, one, "", bearer, "If-Match: "+seen1.Header.Get("ETag"))
	c.ask("cancelMessage", 404, one, "", bearer, "If-Match: *")

	c.ask("purgeQueue", 409, path+"/messages?count=1000000", "", bearer)
	c.decode(c.ask("getQueue", 200, path, "", bearer), &q)
	purged := c.ask("purgeQueue", 200, path+"/messages?count="+strconv.Itoa(q.Messages), "", bearer)
	if want := fmt.Sprintf(`{"messages":%d}`, q.Messages); strings.TrimSpace(purged.Body) != want {
		c.t.Errorf("purged: %s, want %s", purged.Body, want)
	}
}

// overview asks for what there is to see of all channels.
func (c *contract) overview() {
	admin := c.r.Admin + "/admin/v1"
	c.ask("getOverview", 200, admin+"/overview", "", bearer)
	for _, by := range []string{"", "by=age", "by=depth&limit=1", "by=dead"} {
		c.ask("topQueues", 200, admin+"/queues/top?"+by, "", bearer)
	}
	c.ask("topQueues", 400, admin+"/queues/top?by=name", "", bearer)
	c.ask("listSilent", 200, admin+"/silent", "", bearer)
	c.ask("listSilent", 400, admin+"/silent?limit=0", "", bearer)
}

// version1 is the tour of a phone on version 1, of channel "acme.phone".
func (c *contract) version1() {
	c.ask("createChannel", 201, c.base(), `{"name":"acme.phone","settings":{"report_states":true}}`, bearer, typeJSON)
	path := c.base() + "/acme.phone/credentials"
	made := func(body string) string {
		var v struct{ User, Secret string }
		c.decode(c.ask("createCredential", 201, path, body, bearer, typeJSON), &v)
		return basic(v.User, v.Secret)
	}
	phone := made(`{"endpoint":"gateway","user":"phone"}`)
	pushOnly := made(`{"endpoint":"gateway","user":"phone","rights":["push"]}`)
	pullOnly := made(`{"endpoint":"gateway","user":"phone","rights":["pull"]}`)
	application := made(`{"endpoint":"application"}`)
	eventually(c.t, "the credentials are known", func() error {
		return status(do(c.t, "POST", c.r.URL+"/v2/channels/acme.phone/application", `[{"id":"1","body":"x"},{"id":"2","body":"y"}]`, application).Status, http.StatusOK)
	})

	c.ask("pushVersion1", 200, c.incoming(), `<messages><message id="a" from="sms://1"><text>x</text></message></messages>`, phone, typeXML)
	c.ask("pushVersion1", 400, c.incoming(), `<messages`, phone, typeXML)
	c.ask("pushVersion1", 413, c.incoming(), strings.Repeat(" ", 10<<10)+`<messages/>`, phone, typeXML)
	c.ask("lastPushedVersion1", 200, c.incoming(), "", phone)
	c.ask("lastPushedVersion1Head", 200, c.incoming(), "", phone)
	c.ask("lookVersion1", 200, c.outgoing(), "", phone)
	first := c.ask("pullVersion1", 200, c.outgoing()+"?max=1", "", phone)
	c.ask("pullVersion1", 200, c.outgoing(), "", phone, "If-None-Match: "+first.Header.Get("ETag"))
	c.ask("pullAndReportVersion1", 200, c.outgoing(), `{"confirmed":["1"],"failed":["2"]}`, phone, typeJSON)
	c.ask("pullAndReportVersion1", 200, c.outgoing(), "", phone)
	c.ask("pullAndReportVersion1", 400, c.outgoing(), "[", phone, typeJSON)
	c.ask("pullAndReportVersion1", 413, c.outgoing(), `{"failed":["`+strings.Repeat("x", 10<<10)+`"]}`, phone, typeJSON)
	c.ask("setAddressVersion1", 200, c.setAddress()+"?address=sms%3A%2F%2F1", "", phone)
	c.ask("setAddressVersion1", 400, c.setAddress(), "", phone)
	c.ask("setStateVersion1", 200, c.setState()+"?guid=2&state=confirmed", "", phone)
	c.ask("setStateVersion1", 400, c.setState(), "", phone)
	c.ask("listStates", 200, c.base()+"/acme.phone/states?limit=2", "", bearer)
	c.ask("getChannel", 200, c.base()+"/acme.phone", "", bearer)

	for operation, target := range c.ofVersion1() {
		c.ask(operation, 401, target, "")
		refused := pushOnly
		if target == c.incoming() {
			refused = pullOnly
		}
		c.ask(operation, 403, target, "", refused)
		c.askAs("PUT", operation, 405, target, "", phone)
	}
}

func (c *contract) incoming() string   { return c.r.URL + "/v1/acme/qst/incoming" }
func (c *contract) outgoing() string   { return c.r.URL + "/v1/acme/qst/outgoing" }
func (c *contract) setAddress() string { return c.r.URL + "/v1/acme/qst/setaddress" }
func (c *contract) setState() string   { return c.r.URL + "/v1/acme/qst/set_state" }

// ofVersion1 are the operations of version 1, and where they are.
func (c *contract) ofVersion1() map[string]string {
	return map[string]string{
		"pushVersion1": c.incoming(), "lastPushedVersion1": c.incoming(), "lastPushedVersion1Head": c.incoming(),
		"pullVersion1": c.outgoing(), "pullAndReportVersion1": c.outgoing(), "lookVersion1": c.outgoing(),
		"setAddressVersion1": c.setAddress(), "setStateVersion1": c.setState(),
	}
}

// each calls f with every operation of the admin API, and what it is asked with.
func (c *contract) each(channel, queue string, f func(operation, target, body string, header []string)) {
	for route, operation := range c.operations {
		_, path, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(path, "/admin/") {
			continue
		}
		target := c.r.Admin + strings.NewReplacer("{channel}", channel, "{queue}", queue, "{id}", "1-1").Replace(path)
		body, header := "", []string{bearer}
		switch operation {
		case "createChannel":
			body = `{"name":"new"}`
		case "createCredential":
			body = `{"endpoint":"gateway"}`
		case "changeChannel":
			body, header = `{}`, append(header, "If-Match: *")
		case "deleteChannel", "cancelMessage":
			header = append(header, "If-Match: *")
		case "purgeQueue":
			target += "?count=0"
		case "setWebhook":
			body = `{"push_url":"https://example.com/"}`
		case "rotateWebhookSecret":
			body = `{}`
		}
		if body != "" {
			header = append(header, typeJSON)
		}
		f(operation, target, body, header)
	}
}

// refusals asks each operation for what is refused in the same way everywhere.
func (c *contract) refusals() {
	c.each("c", "inbound", func(operation, target, body string, header []string) {
		c.ask(operation, 401, target, body, header[1:]...)
		c.ask(operation, 401, target, body, append(header[1:], bearer+"x")...)
	})
	c.each("a%2Fb", "inbound", func(operation, target, body string, header []string) {
		if strings.Contains(target, "a%2Fb") {
			c.ask(operation, 400, target, body, header...)
		}
	})
	c.each("nobody", "neverbound", func(operation, target, body string, header []string) {
		if _, ok := c.documented[operation+" 404"]; ok {
			c.ask(operation, 404, target, body, header...)
		}
	})
	for _, operation := range []string{"pushAsGateway", "pullAsApplication", "pushToMailbox"} {
		_, path, _ := strings.Cut(c.route(operation), " ")
		c.ask(operation, 400, c.r.URL+strings.ReplaceAll(path, "{channel}", "a%2Fb"), `[]`, typeJSON)
	}
}

// withoutRedis asks each operation when the storage is away.
func (c *contract) withoutRedis(s *redistest.Server) {
	s.Kill()
	c.ask("getHealth", 200, c.r.Admin+"/healthz", "")
	c.ask("getReadiness", 503, c.r.Admin+"/readyz", "")
	c.each("c", "inbound", func(operation, target, body string, header []string) {
		a := c.ask(operation, 503, target, body, header...)
		if a.Header.Get("Retry-After") == "" {
			c.t.Errorf("%s: no Retry-After: %v", operation, a)
		}
	})
	for _, p := range parties {
		c.ask(p.pull, 503, c.r.URL+p.path, "", p.auth())
	}
	for operation, target := range c.ofVersion1() {
		c.ask(operation, 503, target, "", basic("phone", "it can't be known whether this is right"))
	}
}

// What the document says of a body, the service does: it takes those that are
// valid, and no other ones.
func TestOpenAPIBodies(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	c := newContract(t, r)
	c.ask("createChannel", 201, c.base(), `{"name":"c"}`, bearer, typeJSON)
	c.ask("createCredential", 201, c.base()+"/c/credentials", fmt.Sprintf(`{"endpoint":"mailbox","user":"someone","secret":%q}`, mailbox.secret), bearer, typeJSON)
	box, auth := r.URL+mailbox.path, mailbox.auth()
	eventually(t, "the credential is known", func() error {
		return status(do(t, "GET", box, "", auth).Status, http.StatusOK)
	})

	object := func(n int, of func(i int) string) string {
		var l []string
		for i := range n {
			l = append(l, of(i))
		}
		return "{" + strings.Join(l, ",") + "}"
	}
	label := func(i int) string { return fmt.Sprintf(`"l%d":"v"`, i) }
	x := func(n int) string { return strings.Repeat("x", n) }
	var settings []string
	for setting, values := range map[string][]string{
		"queue_max_messages": {"0", "1", "1000000000", "1000000001", "1.5", `"1"`},
		"queue_max_bytes":    {"0", "1", "1099511627776", "1099511627777"},
		"max_deliveries":     {"-1", "0", "1000000", "1000001"},
		"retention":          {`"0s"`, `"1h30m"`, `"1.5h"`, `"100ms"`, `"-1h"`, `"1x"`, `"h"`, `"P1D"`, "5"},
		"inbound_ttl":        {`"0s"`, `"1s"`, `"87600h"`, `"1x"`, "5"},
		"outbound_ttl":       {`"0s"`, `"24h"`},
		"dedup_window":       {`"0s"`, `"10m"`, `""`, "true"},
		"unknown":            {"1"},
	} {
		for _, v := range values {
			settings = append(settings, fmt.Sprintf(`{"settings":{%q:%s}}`, setting, v))
		}
	}
	const now, then = "2000-01-01T00:00:00Z", "2100-01-01T00:00:00.5+02:00"
	for _, operation := range []struct {
		name, target string
		header       []string
		bodies       []string
	}{
		{"changeChannel", c.base() + "/c", []string{bearer, typeJSON, "If-Match: *"}, append(settings,
			`{}`, `[]`, `1`, `"x"`, `{"name":"x"}`, `{"note":1}`, `{"note":""}`,
			`{"note":"`+x(1024)+`"}`, `{"note":"`+x(1025)+`"}`,
			`{"labels":[]}`, `{"labels":{"a":1}}`, `{"labels":{}}`, `{"labels":{"":"x"}}`, `{"labels":{"-a":"x"}}`, `{"labels":{"a b":"x"}}`, `{"labels":{"é":"x"}}`,
			`{"labels":{"a.b/c-d_e":"é"}}`, `{"labels":{"`+x(128)+`":"`+x(128)+`"}}`, `{"labels":{"`+x(129)+`":""}}`, `{"labels":{"a":"`+x(129)+`"}}`,
			`{"labels":`+object(32, label)+`}`, `{"labels":`+object(33, label)+`}`)},
		{"createChannel", c.base(), []string{bearer, typeJSON}, []string{
			`{}`, `{"name":""}`, `{"name":"a b"}`, `{"name":".a"}`, `{"name":"é"}`, `{"name":"` + x(129) + `"}`, `{"name":"` + x(128) + `"}`, `{"name":"+a.b_c~d@e-f"}`,
			`{"name":"n","created":"` + then + `"}`, `{"name":"n","revision":2}`,
		}},
		{"createCredential", c.base() + "/c/credentials", []string{bearer, typeJSON}, []string{
			`{}`, `{"endpoint":"x"}`, `{"endpoint":"gateway"}`, `{"endpoint":"gateway","rights":[]}`, `{"endpoint":"gateway","rights":["push","push"]}`,
			`{"endpoint":"gateway","rights":["admin"]}`, `{"endpoint":"gateway","rights":"push"}`,
			`{"endpoint":"gateway","user":"a:b"}`, `{"endpoint":"gateway","user":"a\nb"}`, `{"endpoint":"gateway","user":"é b"}`,
			`{"endpoint":"gateway","user":"` + x(128) + `"}`, `{"endpoint":"gateway","user":"` + x(129) + `"}`,
			`{"endpoint":"gateway","secret":"` + x(15) + `"}`, `{"endpoint":"gateway","secret":"` + x(16) + `"}`, `{"endpoint":"gateway","secret":"a tab\tin the middle"}`,
			`{"endpoint":"gateway","secret":"` + x(256) + `"}`, `{"endpoint":"gateway","secret":"` + x(257) + `"}`,
			`{"endpoint":"gateway","id":"a b"}`, `{"endpoint":"gateway","id":"a"}`, `{"endpoint":"gateway","created":"` + now + `"}`,
			`{"endpoint":"gateway","expires":"` + then + `"}`, `{"endpoint":"gateway","expires":"tomorrow"}`, `{"endpoint":"gateway","expires":1}`,
		}},
		{mailbox.push, box, []string{auth, typeJSON}, []string{
			`[]`, `{"body":"x"}`, `[{"body":"x"}]`, `1`, `"x"`, `[1]`, `[[]]`, `[{"body":1}]`, `[{"body":["x"]}]`, `[{"body":{}}]`,
			`[{"to":"x","p":"y"}]`, `[{"to":"x","p":false}]`, `[{"to":"x","p":{}}]`, `[{"to":"x","p":[]}]`,
			`[{"to":"x","p":[1,"a",true]}]`, `[{"to":"x","p":[[]]}]`, `[{"to":"x","p":[{}]}]`, `[{"to":"x","p":[null]}]`, `[{"to":"x","":"y"}]`,
		}},
		{mailbox.push, box, []string{auth, typeXML}, []string{
			`<messages/>`, `<messages></messages>`, `<messages><message to="x"/></messages>`, `<messages><message to="x"/><message to="x"/></messages>`,
			`<messages><message to="x"><property name="a" value="1"/></message></messages>`,
			`<messages><message to="x"><property name="a"/></message></messages>`,
			`<messages><message to="x"><property name="a" value="1" type="x"/></message></messages>`,
			`<messages><message to="x" colour="red"/></messages>`, `<messages><message to="x"><text>y</text></message></messages>`,
		}},
	} {
		for _, body := range operation.bodies {
			problems := c.invalid(c.request(operation.name, operation.target, body, operation.header...))
			method, _, _ := strings.Cut(c.route(operation.name), " ")
			a := do(t, method, operation.target, body, operation.header...)
			switch taken := a.Status < http.StatusBadRequest; {
			case taken && len(problems) > 0:
				t.Errorf("%s takes %.200s, which is invalid: %s", operation.name, body, list(problems))
			case !taken && len(problems) == 0:
				t.Errorf("%s refuses %.200s, which is valid: %d %s", operation.name, body, a.Status, a.Body)
			}
		}
	}
}
