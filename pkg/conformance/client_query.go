package conformance

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type pullQuery struct {
	etag string
	json bool
	max  int
	wait time.Duration
}

// query reads a pull's query, and complains of what no server has to understand.
func (s *scripted) query(r *http.Request) pullQuery {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		s.complain("the query %q: %v", r.URL.RawQuery, err)
	}
	q := pullQuery{max: 100, wait: 0, json: namesJSON(r.Header.Values("Accept"))}
	for name, v := range values {
		bad := len(v) > 1
		switch name {
		case "etag":
			q.etag = bare(v[0])
		case "format":
			bad = bad || v[0] != "xml" && v[0] != "json"
			q.json = v[0] == "json"
		case "max":
			q.max, err = strconv.Atoi(v[0])
			bad = bad || err != nil || q.max < 0
			q.max = min(q.max, 1000)
		case "long-polling":
			bad = bad || v[0] != "true" && v[0] != "false"
		case "wait":
			var seconds float64
			seconds, err = strconv.ParseFloat(v[0], 64)
			bad = bad || err != nil || seconds < 0
		}
		if bad {
			s.complain("the parameter %s=%s", name, strings.Join(v, ", "))
		}
	}
	if values.Get("long-polling") == "true" {
		q.wait = time.Minute
	}
	if h := r.Header.Get("If-None-Match"); q.etag == "" && h != "" {
		q.etag = bare(h)
	}
	return q
}

func namesJSON(accept []string) bool {
	json := strings.Index(strings.Join(accept, ","), "application/json")
	xml := slices.Max([]int{strings.Index(strings.Join(accept, ","), "text/xml"), strings.Index(strings.Join(accept, ","), "application/xml")})
	return json >= 0 && (xml < 0 || json < xml)
}
