package app_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Each panel says what it shows and what to make of it.
func TestPanelsAreDescribed(t *testing.T) {
	t.Parallel()
	for _, d := range readDashboards(t) {
		for _, p := range d.Panels {
			if p.Type != "row" && len(p.Description) < len("Times that …") {
				t.Errorf("%s: panel %q has the description %q", d.file, p.Title, p.Description)
			}
		}
	}
}

// anchors are the headings of a Markdown document, as GitHub links to them.
func anchors(document string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(document, -1) {
		found[strings.ReplaceAll(strings.ToLower(regexp.MustCompile(`[^\w -]`).ReplaceAllString(m[1], "")), " ", "-")] = true
	}
	return found
}

// linksOf collects the URLs of links anywhere in a panel's fieldConfig.
func linksOf(v any) (urls []string) {
	switch v := v.(type) {
	case map[string]any:
		if url, ok := v["url"].(string); ok {
			urls = append(urls, url)
		}
		for _, below := range v {
			urls = append(urls, linksOf(below)...)
		}
	case []any:
		for _, below := range v {
			urls = append(urls, linksOf(below)...)
		}
	}
	return urls
}

// Data links lead to dashboards that there are, with variables that those have, and to
// sections of docs/operations.md; and from the queues' channels to the channel's dashboard.
func TestDataLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	sections := anchors(string(readFile(t, operationsFile)))
	boards := map[string]map[string]bool{} // uid → variables
	all := readDashboards(t)
	for _, d := range all {
		boards[d.UID] = map[string]bool{}
		for _, v := range d.Templating.List {
			boards[d.UID][v.Name] = true
		}
	}
	variable := regexp.MustCompile(`\bvar-(\w+)=|\$\{(\w+):queryparam\}`)
	to := map[string]int{}
	for _, d := range all {
		for _, p := range d.Panels {
			for _, url := range linksOf(p.FieldConfig) {
				if section, ok := strings.CutPrefix(url, runbooks+"#"); ok {
					to["sections"]++
					if !sections[section] {
						t.Errorf("%s: panel %q: docs/operations.md has no #%s", d.file, p.Title, section)
					}
					continue
				}
				path, query, _ := strings.Cut(url, "?")
				variables, ok := boards[strings.TrimPrefix(path, "/d/")]
				if !ok {
					t.Errorf("%s: panel %q links to %s", d.file, p.Title, url)
				}
				to[path]++
				for _, m := range variable.FindAllStringSubmatch(query, -1) {
					if !variables[m[1]+m[2]] {
						t.Errorf("%s: panel %q: the dashboard it links to has no variable in %s", d.file, p.Title, m[0])
					}
				}
			}
		}
	}
	if to["/d/qst-channel"] < 2 || to["sections"] < 5 {
		t.Errorf("found only %v", to)
	}
}

// What is measured within a sampled trace, Prometheus can be told of with that trace: the
// way from a slow request on a dashboard to what made it slow.
func TestExemplarsAreScraped(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	r := startReplica(t, "embedded", append(c.env("a"), "QST_AUTH=none")...)
	if a := do(t, "POST", r.URL+"/v2/channels/c", `{"body":"x"}`, "Content-Type: application/json", sampled(1)); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	scraped := do(t, "GET", r.Admin+"/metrics", "", "Accept: application/openmetrics-text; version=1.0.0").Body
	promtool(t, do(t, "GET", r.Admin+"/metrics", "").Body, "check", "metrics")
	exemplar := regexp.MustCompile(`(?m)^qst_request_duration_seconds_bucket\{[^}]*\} \d+ # \{[^}]*trace_id="` + traceID(1) + `"`)
	if !exemplar.MatchString(scraped) {
		t.Errorf("no exemplar of the trace in\n%s", scraped)
	}
	if !strings.HasSuffix(scraped, "# EOF\n") {
		t.Error("not in OpenMetrics' form")
	}
	// Panels that ask for exemplars are there.
	asked := 0
	for _, d := range readDashboards(t) {
		var board struct {
			Panels []struct{ Targets []struct{ Exemplar bool } }
		}
		if err := json.Unmarshal(readFile(t, dashboards+"/"+d.file), &board); err != nil {
			t.Fatal(err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				if target.Exemplar {
					asked++
				}
			}
		}
	}
	if asked == 0 {
		t.Error("no panel shows exemplars")
	}
}
