package app_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

var updateDocs = flag.Bool("update-docs", false, "write the table of metrics in docs/operations.md instead of comparing it")

const (
	rulesFile      = repository + "/deploy/helm/qst/rules/qst.yaml"
	rulesTests     = repository + "/deploy/helm/qst/rules/tests"
	dashboards     = repository + "/deploy/helm/qst/dashboards"
	operationsFile = repository + "/docs/operations.md"
	runbooks       = "https://github.com/queuestatetransfer/qst/blob/main/docs/operations.md"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rule is one of rulesFile.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func readRules(t testing.TB) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(readFile(t, rulesFile), &file); err != nil {
		t.Fatal(err)
	}
	var rules []rule
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	return rules
}

// Every alert says how bad it is, what it is, and where to read what to do; that
// is there to be read, and nothing is written of an alert that isn't.
func TestAlertsAreDocumented(t *testing.T) {
	t.Parallel()
	var alerts []string
	for _, r := range readRules(t) {
		alerts = append(alerts, r.Alert)
		if !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: annotations %v", r.Alert, r.Annotations)
		}
		if want := runbooks + "#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^### (QST\w+)$`).FindAllSubmatch(readFile(t, operationsFile), -1) {
		sections = append(sections, string(m[1]))
	}
	slices.Sort(alerts)
	slices.Sort(sections)
	if !slices.Equal(alerts, sections) {
		t.Errorf("alerts\n%v\nsections of docs/operations.md\n%v", alerts, sections)
	}
}

// promtool has nothing against the rules, and their unit tests pass; there each
// alert fires once and keeps quiet once, at least.
func TestRules(t *testing.T) {
	t.Parallel()
	fires, quiet := map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob(rulesTests + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		var tests struct {
			Tests []struct {
				Checks []struct {
					Alert  string `yaml:"alertname"`
					Alerts []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal(readFile(t, file), &tests); err != nil {
			t.Fatal(err)
		}
		for _, test := range tests.Tests {
			for _, c := range test.Checks {
				fires[c.Alert] = fires[c.Alert] || len(c.Alerts) > 0
				quiet[c.Alert] = quiet[c.Alert] || len(c.Alerts) == 0
			}
		}
	}
	for _, r := range readRules(t) {
		if !fires[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s: tested that it fires: %v, that it keeps quiet: %v", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
	}
	promtool(t, "", "check", "rules", rulesFile)
	promtool(t, "", append([]string{"test", "rules"}, files...)...)
}

// panel is one of a dashboard, as far as these tests look at it.
type panel struct {
	ID    int
	Type  string
	Title string
	// What people read and click.
	Description string
	FieldConfig any
	Datasource  struct{ Type, UID string }
	Targets     []struct {
		Expr, Query string
		Datasource  struct{ Type, UID string }
	}
	Panels []panel
}

type dashboard struct {
	file       string
	UID, Title string
	Panels     []panel
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
}

func readDashboards(t testing.TB) []dashboard {
	t.Helper()
	files, err := filepath.Glob(dashboards + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all []dashboard
	for _, file := range files {
		d := dashboard{file: filepath.Base(file)}
		if err := json.Unmarshal(readFile(t, file), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// Dashboards can be brought into any Grafana: what they ask, they ask of a data
// source that is a variable; each variable that they use is there.
func TestDashboards(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	variable := regexp.MustCompile(`\$\{?(\w+)\}?`)
	for _, d := range readDashboards(t) {
		if d.UID == "" || d.Title == "" || uids[d.UID] != "" {
			t.Errorf("%s: uid %q, title %q", d.file, d.UID, d.Title)
		}
		uids[d.UID] = d.file
		variables := map[string]string{"__rate_interval": "", "__auto": ""}
		for _, v := range d.Templating.List {
			variables[v.Name] = v.Type
		}
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d %q: its id or title", d.file, p.ID, p.Title)
			}
			ids[p.ID] = true
			if p.Type == "row" {
				continue
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: panel %q asks for nothing", d.file, p.Title)
			}
			for _, target := range p.Targets {
				m := variable.FindStringSubmatch(target.Datasource.UID)
				if m == nil || variables[m[1]] != "datasource" {
					t.Errorf("%s: panel %q asks of %q, which is no variable", d.file, p.Title, target.Datasource.UID)
				}
				for _, m := range variable.FindAllStringSubmatch(target.Expr+target.Query, -1) {
					if _, ok := variables[m[1]]; !ok {
						t.Errorf("%s: panel %q: there is no variable %s", d.file, p.Title, m[0])
					}
				}
			}
		}
	}
}

// promQL returns every PromQL expression of rules and dashboards, by where it
// stands, with Grafana's variables filled in.
func promQL(t testing.TB) map[string]string {
	t.Helper()
	fill := strings.NewReplacer("$__rate_interval", "1m", "$namespace", ".*", "$job", ".*", "$redis", ".*", "$channel", "c")
	exprs := map[string]string{}
	for _, r := range readRules(t) {
		exprs["alert "+r.Alert] = r.Expr
	}
	for _, d := range readDashboards(t) {
		for _, p := range d.Panels {
			for i, target := range p.Targets {
				if target.Datasource.Type == "prometheus" {
					exprs[fmt.Sprintf("%s, panel %q, %d", d.file, p.Title, i)] = fill.Replace(target.Expr)
				}
			}
		}
	}
	return exprs
}

var (
	// What is in a PromQL expression beside metrics, taken away in this order.
	notMetrics = []*regexp.Regexp{
		regexp.MustCompile(`#[^\n]*`), regexp.MustCompile(`"[^"]*"`), regexp.MustCompile(`\{[^}]*\}`), regexp.MustCompile(`\[[^\]]*\]`),
		regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)`),
		regexp.MustCompile(`\b(and|or|unless|bool|offset)\b`),
		regexp.MustCompile(`\b\w+ *\(`), // functions
		regexp.MustCompile(`\b[0-9][0-9.a-z]*\b`),
	}
	identifier = regexp.MustCompile(`[a-zA-Z_:][\w:]*`)
	// foreign are metrics that something else emits: redis_exporter,
	// kube-state-metrics, Prometheus itself.
	foreign = regexp.MustCompile(`^(redis_|kube_|up$)`)
)

func metricsOf(expr string) []string {
	for _, r := range notMetrics {
		expr = r.ReplaceAllStringFunc(expr, func(s string) string {
			if strings.HasSuffix(s, "(") {
				return "("
			}
			return " "
		})
	}
	return identifier.FindAllString(expr, -1)
}

// everything makes a replica do everything that its metrics tell of.
func everything(t testing.TB, s *redistest.Server, a, b *replica) {
	t.Helper()
	const path = "/v2/channels/c"
	poll := longPoll(t, b, path)
	waitForPoll(t, s, "c", "mailbox", "")
	push(t, a, path, `[{"id":"1","body":"x"},{"id":"1","body":"x"}]`)
	got := within(t, poll)
	pull(t, a, path)
	pull(t, b, path, etag(got))
	pull(t, a, path, "long-polling=true", "wait=0.01")
	push(t, b, path, `[{"id":"2","body":"x"}]`)
	if a := do(t, "POST", a.URL+path, "!", "Content-Type: application/json"); a.Status != http.StatusBadRequest {
		t.Fatal(a)
	}
}

// What dashboards and rules name, replicas emit; each query is one that Prometheus
// can answer, and those of the service alone it answers with something.
func TestDashboardsAndRulesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	a, b := startReplica(t, s.URL(), "QST_METRICS_TOP_QUEUES=3"), startReplica(t, s.URL(), "QST_METRICS_TOP_QUEUES=3")
	everything(t, s, a, b)
	w := startBusyWorker(t, s)

	emitted, used := map[string]bool{}, map[string]bool{}
	for _, r := range []*replica{a, b, w} {
		for series := range scrape(t, r) {
			emitted[metricName(series)] = true
		}
	}
	exprs := promQL(t)
	for where, expr := range exprs {
		names := metricsOf(expr)
		if len(names) == 0 {
			t.Errorf("%s: no metric in %s", where, expr)
		}
		for _, name := range names {
			used[name] = true
			if !emitted[name] && !foreign.MatchString(name) {
				t.Errorf("%s: nobody emits %s", where, name)
			}
		}
	}
	// And the other way: what is measured, somebody can see.
	for name := range emitted {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "qst_") && !used[name] && !used[base+"_bucket"] && !used[base+"_count"] {
			t.Errorf("no dashboard and no rule shows %s", name)
		}
	}

	p := startPrometheus(t, a, b, w)
	eventually(t, "Prometheus has scraped both replicas twice", func() error {
		if values := p.query(t, `count_over_time(qst_ready[1m]) > 1`); len(values) != 2 {
			return fmt.Errorf("%v", values)
		}
		return nil
	})
	for where, expr := range exprs {
		values := p.query(t, expr)
		foreigners := slices.ContainsFunc(metricsOf(expr), foreign.MatchString)
		filtered := strings.HasPrefix(where, "alert ") || strings.HasSuffix(expr, " > 0")
		if len(values) == 0 && !foreigners && !filtered {
			t.Errorf("%s: nothing for %s", where, expr)
		}
	}
	eventually(t, "Prometheus evaluates the rules", func() error {
		var body struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		if err := json.Unmarshal([]byte(do(t, "GET", p.url+"/api/v1/rules", "").Body), &body); err != nil {
			return err
		}
		n := 0
		for _, g := range body.Data.Groups {
			for _, r := range g.Rules {
				if n++; r.Health != "ok" {
					return fmt.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
				}
			}
		}
		if n != len(readRules(t)) {
			return fmt.Errorf("%d rules", n)
		}
		return nil
	})
}

// What the dashboard of one channel asks of logs and traces, there is.
func TestChannelDashboardNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	r := startReplica(t, s.URL(), c.env("a", "QST_LOG_SAMPLE=1")...)
	everything(t, s, r, r)
	r.exitAfterDrain()
	fields, attributes := map[string]bool{"__error__": true}, map[string]bool{}
	for _, e := range events(t, r) {
		for name := range e {
			fields[name] = true
		}
	}
	for _, span := range c.all() {
		for name := range span.attrs {
			attributes[name] = true
		}
	}
	field := regexp.MustCompile(`(?:\| *|by \(|unwrap |, )(\w+)(?: *!?=|[,)] *|$| \|)`)
	attribute := regexp.MustCompile(`span\.([\w.]+)`)
	asked := 0
	for _, d := range readDashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				switch target.Datasource.Type {
				case "loki":
					for _, m := range field.FindAllStringSubmatch(target.Expr, -1) {
						asked++
						if !fields[m[1]] && m[1] != "json" {
							t.Errorf("%s, panel %q: no log line has %s", d.file, p.Title, m[1])
						}
					}
				case "tempo":
					for _, m := range attribute.FindAllStringSubmatch(target.Query, -1) {
						asked++
						if !attributes[m[1]] {
							t.Errorf("%s, panel %q: no span has %s", d.file, p.Title, m[1])
						}
					}
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("found only %d names", asked)
	}
}

// metricsTable is what docs/operations.md has between its marks: each metric of
// ours as a replica describes it.
func metricsTable(t testing.TB, replicas ...*replica) string {
	t.Helper()
	type described struct{ kind, help string }
	metrics, labels := map[string]described{}, map[string]map[string]bool{}
	label := regexp.MustCompile(`(\w+)="`)
	for _, r := range replicas {
		for line := range strings.Lines(do(t, "GET", r.Admin+"/metrics", "").Body) {
			f := strings.SplitN(strings.TrimSpace(line), " ", 4)
			switch {
			case strings.HasPrefix(line, "# HELP qst_"):
				d := metrics[f[2]]
				d.help = f[3]
				metrics[f[2]] = d
			case strings.HasPrefix(line, "# TYPE qst_"):
				d := metrics[f[2]]
				d.kind = f[3]
				metrics[f[2]] = d
			case strings.HasPrefix(line, "qst_"):
				name := metricName(line)
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					if base := strings.TrimSuffix(name, suffix); metrics[base].kind == "histogram" {
						name = base
					}
				}
				if labels[name] == nil {
					labels[name] = map[string]bool{}
				}
				for _, m := range label.FindAllStringSubmatch(line, -1) {
					if m[1] != "le" {
						labels[name]["`"+m[1]+"`"] = true
					}
				}
			}
		}
	}
	var b strings.Builder
	b.WriteString("| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, metrics[name].kind, strings.Join(slices.Sorted(maps.Keys(labels[name])), " "), metrics[name].help)
	}
	return b.String()
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	a, b := startReplica(t, s.URL(), "QST_METRICS_TOP_QUEUES=3"), startReplica(t, s.URL(), "QST_METRICS_TOP_QUEUES=3")
	everything(t, s, a, b)
	table := metricsTable(t, a, b, startBusyWorker(t, s))
	const begin, end = "<!-- metrics: made from the service by a test -->\n", "<!-- end of metrics -->"
	doc := string(readFile(t, operationsFile))
	before, rest, ok := strings.Cut(doc, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal(errors.New("docs/operations.md has lost the marks of its table of metrics"))
	}
	want := before + begin + "\n" + table + "\n" + end + after
	if doc == want {
		return
	}
	if *updateDocs {
		if err := os.WriteFile(operationsFile, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the table of metrics in docs/operations.md is not what the service says: go test -run TestMetricsAreDocumented ./services/api/internal/app -update-docs\n%s", table)
}
