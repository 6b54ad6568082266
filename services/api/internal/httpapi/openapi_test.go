package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"go.yaml.in/yaml/v3"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
	"github.com/queuestatetransfer/qst/services/api/internal/webhook"
)

// document is openapi.yaml, as far as these tests read it.
type document struct {
	Servers    []server
	Paths      map[string]pathItem
	Components struct {
		Parameters map[string]parameter
		Responses  map[string]response
		Schemas    map[string]schema
	}
}

type server struct{ URL string }

type pathItem struct {
	Servers []server
	Methods map[string]operation `yaml:",inline"` // and "parameters", which is none
}

type operation struct {
	OperationID string `yaml:"operationId"` //nolint:tagliatelle // as OpenAPI calls it
	Parameters  []parameter
	Responses   map[string]response // by status
}

// UnmarshalYAML passes over what stands beside the methods of a path.
func (o *operation) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	type plain operation
	return n.Decode((*plain)(o))
}

type parameter struct {
	Name, Description string
	Schema            schema
}

type response struct {
	Ref     string `yaml:"$ref"`
	Headers map[string]any
	Content map[string]any
}

type schema struct {
	Pattern string
	Default any
	Maximum *int
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := yaml.Unmarshal(openAPIDocument, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// resolve follows a reference to a response.
func (d document) resolve(t *testing.T, r response) response {
	t.Helper()
	name, ok := strings.CutPrefix(r.Ref, "#/components/responses/")
	if !ok {
		return r
	}
	to, ok := d.Components.Responses[name]
	if !ok {
		t.Fatalf("there is no %s", r.Ref)
	}
	return to
}

// What the listeners answer is what the document says, both ways.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	api := New(Options{AdminToken: "x", Console: true, Metrics: telemetry.Discard()})

	listeners := map[string]http.Handler{"QST_LISTEN_ADDR": api.Public(), "QST_ADMIN_ADDR": api.Internal()}
	var want, got []string
	for variable, handler := range listeners {
		for _, route := range handler.(*echo.Echo).Routes() { //nolint:forcetypeassert // a panic here is a failure
			for _, r := range documented(t, route) {
				want = append(want, r+" at "+variable)
			}
		}
	}
	for path, item := range d.Paths {
		servers := item.Servers
		if servers == nil {
			servers = d.Servers
		}
		for method, o := range item.Methods {
			if o.OperationID == "" {
				continue
			}
			for _, s := range servers {
				got = append(got, strings.ToUpper(method)+" "+path+" at "+variableOf(t, s))
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	want = slices.Compact(want) // the wildcard has a route for each method
	for _, r := range want {
		if !slices.Contains(got, r) {
			t.Errorf("not in openapi.yaml: %s", r)
		}
	}
	for _, r := range got {
		if !slices.Contains(want, r) {
			t.Errorf("in openapi.yaml, and nobody answers it: %s", r)
		}
	}
}

var routeParam = regexp.MustCompile(`:(\w+)`)

// documented returns a route as the document writes it, "GET /healthz". What the
// wildcard stands for is in endpoints.
func documented(t *testing.T, route *echo.Route) (l []string) {
	t.Helper()
	switch {
	case route.Method == echo.RouteNotFound: // of the group: a stranger is told 401 there, too
	case route.Path == channelsPath+"*":
		for name := range endpoints {
			for method := range strings.SplitSeq(allowed, ", ") {
				l = append(l, method+" "+strings.TrimSuffix(channelsPath+"{channel}/"+name, "/"))
			}
		}
	case route.Path == version1Path+"*":
		for action, methods := range version1Allowed {
			for method := range strings.SplitSeq(methods, ", ") {
				l = append(l, method+" "+version1Path+"{account}/qst/"+action)
			}
		}
	case strings.HasPrefix(route.Path, "/console"): // a page for people
	case strings.Contains(route.Path, "*"):
		t.Errorf("this test doesn't know what %s stands for", route.Path)
	default:
		l = append(l, route.Method+" "+routeParam.ReplaceAllString(route.Path, "{$1}"))
	}
	return l
}

// variableOf returns the variable that says where a server listens, by its port.
func variableOf(t *testing.T, s server) string {
	t.Helper()
	for _, v := range config.Variables() {
		if strings.HasSuffix(v.Name, "_ADDR") && strings.HasSuffix(s.URL, v.Default) {
			return v.Name
		}
	}
	t.Fatalf("nothing listens at %s by default", s.URL)
	return ""
}

func TestOpenAPIIsValid(t *testing.T) {
	t.Parallel()
	d, err := libopenapi.NewDocument(openAPIDocument)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(d)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			t.Error(p)
		}
	}

	model, err := d.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	if len(model.Index.GetCircularReferences()) > 0 {
		t.Error("references go round in circles")
	}
	examples := 0
	for name, proxy := range model.Model.Components.Schemas.FromOldest() {
		s, err := proxy.BuildSchema()
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range s.Examples {
			var example any
			if err := node.Decode(&example); err != nil {
				t.Fatal(err)
			}
			ok, problems := schema_validation.NewSchemaValidator().ValidateSchemaObject(s, example)
			if !ok {
				t.Errorf("an example of %s is none: %v", name, problems)
			}
			examples++
		}
	}
	if examples == 0 {
		t.Error("no example was looked at")
	}
}

// Each operation has a name of its own: generators make methods of them.
func TestOpenAPIOperationIDs(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for path, item := range readDocument(t).Paths {
		for method, o := range item.Methods {
			if o.OperationID == "" {
				continue
			}
			if other, again := seen[o.OperationID]; again {
				t.Errorf("%s is %s %s and %s", o.OperationID, method, path, other)
			}
			seen[o.OperationID] = method + " " + path
		}
	}
}

// Errors that can't end a request of the protocol, and those that can't end a
// pull. An error that is new in the table is taken to be able to end every one.
var (
	ofAdmin = []error{
		access.ErrInvalid, access.ErrNotFound, access.ErrExists, access.ErrTooMany, access.ErrStale, queue.ErrNotFound, queue.ErrStale, webhook.ErrNoWorker,
	}
	ofPush = []error{
		qst.ErrUnsupportedType, qst.ErrTooLarge, qst.ErrMalformed, errBodyTooLarge, errBodyBroken, errBodyCut, queue.ErrFull,
	}
)

// Each status that the protocol's requests can end with is documented, with the
// headers it comes with, and no other one is.
func TestOpenAPIHasTheProtocolsStatuses(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	for name := range endpoints {
		path := strings.TrimSuffix(channelsPath+"{channel}/"+name, "/")
		for _, method := range []string{"get", "post"} {
			want := map[int][]string{
				http.StatusOK:                  {"Cache-Control", "Preference-Applied"},
				http.StatusBadRequest:          nil, // of parameters and of the channel's name
				http.StatusMethodNotAllowed:    {"Allow"},
				http.StatusInternalServerError: nil, // of what is not in the table
			}
			if method == "get" {
				want[http.StatusOK] = []string{"Cache-Control", "ETag", "QST-Confirmed", "QST-Redelivered"}
			}
			for _, row := range table {
				if slices.Contains(ofAdmin, row.err) || method == "get" && slices.Contains(ofPush, row.err) {
					continue
				}
				headers := want[row.status]
				switch {
				case row.status == http.StatusUnauthorized:
					headers = []string{"WWW-Authenticate"}
				case row.status == http.StatusUnsupportedMediaType:
					headers = []string{"Accept-Encoding"}
				case row.retryAfter > 0:
					headers = []string{"Retry-After"}
				}
				want[row.status] = headers
			}
			got := d.Paths[path].Methods[method].Responses
			for status, headers := range want {
				r, ok := got[strconv.Itoa(status)]
				if !ok {
					t.Errorf("%s %s: %d is not documented", method, path, status)
					continue
				}
				r = d.resolve(t, r)
				slices.Sort(headers)
				if have := slices.Sorted(maps.Keys(r.Headers)); !slices.Equal(have, headers) {
					t.Errorf("%s %s: %d has the headers %v, want %v", method, path, status, have, headers)
				}
				if _, ok := r.Content["application/problem+json"]; ok != (status >= http.StatusBadRequest) {
					t.Errorf("%s %s: %d: problem details: %t", method, path, status, ok)
				}
			}
			for status := range got {
				if _, ok := want[atoi(status)]; !ok {
					t.Errorf("%s %s: %s is documented, and never given", method, path, status)
				}
			}
		}
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // 0 where it is none: no status
	return n
}

// given finds where a default is given: "1MiB (`QST_PUSH_MAX_BYTES`".
var given = regexp.MustCompile("(\\d\\S*)\\s+\\(`(QST_[A-Z_]+)`")

func TestOpenAPIHasTheDefaults(t *testing.T) {
	t.Parallel()
	defaults := make(map[string]string)
	for _, v := range config.Variables() {
		defaults[v.Name] = v.Default
	}
	said := make(map[string]bool)
	for _, m := range given.FindAllStringSubmatch(string(openAPIDocument), -1) {
		if want, ok := defaults[m[2]]; !ok || m[1] != want {
			t.Errorf("openapi.yaml says %s of %s, which is %q", m[1], m[2], want)
		}
		said[m[2]] = true
	}
	for _, name := range []string{
		"QST_PUSH_MAX_MESSAGES", "QST_PUSH_MAX_BYTES", "QST_MESSAGE_MAX_BYTES", "QST_PULL_MAX_BYTES", "QST_LONG_POLL_MAX", "QST_AUTH_CACHE",
		"QST_QUEUE_MAX_MESSAGES", "QST_QUEUE_MAX_BYTES", "QST_RETENTION", "QST_DEDUP_WINDOW", "QST_MAX_DELIVERIES",
	} {
		if !said[name] {
			t.Errorf("openapi.yaml doesn't say what %s is without being set", name)
		}
	}
	properties := qst.DefaultLimits() // which are not configured
	for _, text := range []string{
		fmt.Sprintf("most %d values with names of at most %d bytes", properties.MaxProperties, properties.MaxNameBytes),
		fmt.Sprintf("of at most %d bytes (more: 413). Missing", properties.MaxIDBytes),
		fmt.Sprintf("At most %d KiB.", adminMaxBytes>>10),
		fmt.Sprintf("at most %d characters", maxUserAgent),
	} {
		if !strings.Contains(string(openAPIDocument), text) {
			t.Errorf("openapi.yaml doesn't say %q", text)
		}
	}
	if connectedFor.Minutes() != 2 || !strings.Contains(string(openAPIDocument), "less than two minutes ago") {
		t.Errorf("openapi.yaml has something else than %v for connected", connectedFor)
	}
}

func TestOpenAPIHasTheParameters(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	params := d.Components.Parameters
	usual := func(most int) int {
		c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), httptest.NewRecorder())
		n, err := limitParam(c, most)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	check := func(p parameter, def any, most int) {
		t.Helper()
		if p.Schema.Default != def {
			t.Errorf("%s: default %v, want %v", p.Name, p.Schema.Default, def)
		}
		got := 0 // there is none
		if p.Schema.Maximum != nil {
			got = *p.Schema.Maximum
		}
		if got != most {
			t.Errorf("%s: maximum %d, want %d", p.Name, got, most)
		}
	}
	check(params["Max"], defaultMax, 0) // more is taken, as maxPullMessages
	if text := "More than " + strconv.Itoa(maxPullMessages) + " is " + strconv.Itoa(maxPullMessages); !strings.Contains(params["Max"].Description, text) {
		t.Errorf("max: it doesn't say %q", text)
	}
	check(params["LongPolling"], false, 0)
	check(params["TopLimit"], usual(maxTop), maxTop)
	check(params["Text"], true, 0)
	check(params["MessageLimit"], usual(maxEntries), maxEntries)
	for _, p := range d.Paths["/admin/v1/channels"].Methods["get"].Parameters {
		if p.Name == "limit" {
			check(p, usual(access.MaxPage), access.MaxPage)
		}
	}
	for _, name := range []string{"ChannelName", "CredentialID"} {
		if got := d.Components.Schemas[name].Pattern; got != access.ChannelName.String() {
			t.Errorf("%s: pattern %s, want %s", name, got, access.ChannelName)
		}
	}
}
