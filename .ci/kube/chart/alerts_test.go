package chart_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

// rules returns the rules of a rendered PrometheusRule, by alert, and the groups as a
// file for promtool.
func rules(t *testing.T, text string) (map[string]map[string]any, string) {
	t.Helper()
	groups := find(t, render(t, chart.Helm4, "redis: {enabled: true}\n"+text), "PrometheusRule/qst").Get("spec", "groups").([]any)
	all := map[string]map[string]any{}
	for _, g := range groups {
		for _, r := range g.(map[string]any)["rules"].([]any) {
			r := r.(map[string]any)
			all[r["alert"].(string)] = r
		}
	}
	out, err := yaml.Marshal(map[string]any{"groups": groups})
	if err != nil {
		t.Fatal(err)
	}
	return all, file(t, string(out))
}

// promtool has nothing against the rules of a file.
func promtool(t *testing.T, rules string) {
	t.Helper()
	program := filepath.Join(os.Getenv("QST_TEST_PROMETHEUS"), "promtool")
	if os.Getenv("QST_TEST_PROMETHEUS") == "" {
		program = filepath.Join(chart.Root, "bin", "prometheus", "promtool")
		if path, err := exec.LookPath("promtool"); err == nil {
			program = path
		}
	}
	if out, err := exec.CommandContext(t.Context(), program, "check", "rules", rules).CombinedOutput(); err != nil {
		t.Errorf("%v (.ci/install prometheus gets it)\n%s", err, out)
	}
}

// What values.yaml says of each alert is what the rule has.
func TestAlertsAreInValues(t *testing.T) {
	t.Parallel()
	alerts, err := chart.Alerts()
	if err != nil || len(alerts) == 0 {
		t.Fatal(alerts, err)
	}
	text, err := os.ReadFile(filepath.Join(chart.Chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values chart.Object
	if err := yaml.Unmarshal(text, (*map[string]any)(&values)); err != nil {
		t.Fatal(err)
	}
	given, _ := values.Get("prometheusRule", "alerts").(map[string]any)
	if len(given) != len(alerts) {
		t.Errorf("%d alerts in values.yaml, %d in rules/qst.yaml", len(given), len(alerts))
	}
	rendered, _ := rules(t, "prometheusRule: {enabled: true}")
	for _, a := range alerts {
		want := map[string]string{"severity": a.Severity}
		if a.For != "" {
			want["for"] = a.For
		}
		maps.Copy(want, a.Numbers)
		got := map[string]string{}
		own, _ := given[a.Name].(map[string]any)
		for name, v := range own {
			got[name] = fmt.Sprint(v)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: values.yaml has %v, the rule %v", a.Name, got, want)
		}
		if r := rendered[a.Name]; r == nil || strings.TrimSpace(r["expr"].(string)) != strings.TrimSpace(a.Expr) {
			t.Errorf("%s is rendered as %v", a.Name, r)
		}
	}
}

// Each number, "for" and severity can be set, and an alert left out; what comes of it
// Prometheus understands.
func TestAlertsCanBeSet(t *testing.T) {
	t.Parallel()
	alerts, err := chart.Alerts()
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]any{}
	for _, a := range alerts {
		own := map[string]any{"for": "37m", "severity": "info"}
		for name := range a.Numbers {
			own[name] = 0.4321
		}
		set[a.Name] = own
	}
	text, err := yaml.Marshal(map[string]any{"prometheusRule": map[string]any{"enabled": true, "alerts": set}})
	if err != nil {
		t.Fatal(err)
	}
	changed, out := rules(t, string(text))
	for _, a := range alerts {
		want := a.Expr
		for name, number := range a.Numbers {
			want = strings.Replace(want, number+" # "+name, "0.4321 # "+name, 1)
		}
		r := changed[a.Name]
		if strings.TrimSpace(r["expr"].(string)) != strings.TrimSpace(want) || r["for"] != "37m" || r["labels"].(map[string]any)["severity"] != "info" {
			t.Errorf("%s is rendered as %v", a.Name, r)
		}
	}
	promtool(t, out)

	large, out := rules(t, "prometheusRule: {enabled: true, alerts: {QSTOldestMessageTooOld: {threshold: 1209600}, QSTChannelsSilent: {enabled: false}}}")
	if expr := large["QSTOldestMessageTooOld"]["expr"]; !strings.Contains(expr.(string), "> 1.2096e+06 #") && !strings.Contains(expr.(string), "> 1209600 #") {
		t.Errorf("a large number: %s", expr)
	}
	if large["QSTChannelsSilent"] != nil {
		t.Error("an alert that is not enabled is there")
	}
	promtool(t, out)
}
