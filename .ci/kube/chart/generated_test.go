package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

func TestKustomizationsAreTheChart(t *testing.T) {
	t.Parallel()
	for _, overlay := range append([]string{""}, chart.Overlays...) {
		t.Run("overlay "+overlay, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(chart.Manifests, "base")
			if overlay != "" {
				dir = filepath.Join(chart.Manifests, "overlays", overlay)
			}
			built, err := chart.Kustomize(dir)
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := chart.Wanted(overlay)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := ids(built), ids(wanted); !slices.Equal(got, want) {
				t.Fatalf("the kustomization has %v, the chart %v", got, want)
			}
			for _, w := range wanted {
				got, want := text(t, find(t, built, w.ID())), text(t, w)
				if got != want {
					t.Errorf("%s differs: make generate\nkustomization: %s\nchart: %s", w.ID(), got, want)
				}
				for _, release := range chart.Kubernetes {
					if err := chart.Validate(release, w); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

func text(t *testing.T, o chart.Object) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGeneratedFilesAreFresh(t *testing.T) {
	t.Parallel()
	files, err := chart.Generated()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(chart.Root, name))
		if err != nil || string(have) != want {
			t.Errorf("%s is not what it would be made: make generate (%v)", name, err)
		}
	}
	stale, err := chart.Stale(files)
	if err != nil || len(stale) > 0 {
		t.Errorf("no longer made: %v: make generate (%v)", stale, err)
	}
}

// open are the objects of the schema in which anything goes, with the reason.
var open = map[string]string{
	"/properties/global":               "other charts' values; nothing here reads them",
	"/$defs/named/items":               "Kubernetes's own types, as below",
	"/$defs/channel/properties/labels": "names and texts of the user's choosing",
	"/$defs/kubernetesObject":          "Kubernetes's own types, which it checks, and TestMatrix",
	"/$defs/strings":                   "names and texts of the user's choosing",
	"/$defs/quantities":                "resources, of which a cluster may have its own",
	"/properties/otel":                 "OpenTelemetry adds variables; the pattern wants their prefix",
}

func TestSchemaIsStrict(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chart.Chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		if m["type"] == "object" && m["additionalProperties"] != false && open[at] == "" {
			t.Errorf("%s takes properties that it does not list", at)
		}
		for name, below := range m {
			walk(at+"/"+name, below)
		}
	}
	walk("", schema)

	// Every value is in the schema, and every value of the schema in values.yaml.
	values := map[string]any{}
	yamlText, err := os.ReadFile(filepath.Join(chart.Chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(yamlText, &values); err != nil {
		t.Fatal(err)
	}
	var compare func(at string, schema map[string]any, value any)
	compare = func(at string, schema map[string]any, value any) {
		properties, ok := schema["properties"].(map[string]any)
		given, isMap := value.(map[string]any)
		if !ok || !isMap || documented.MatchString(at) {
			return
		}
		for name, below := range properties {
			if _, ok := given[name]; !ok && at+"."+name != ".global" && at+"."+name != ".enabled" {
				t.Errorf("%s.%s is in the schema, and not in values.yaml", at, name)
			}
			compare(at+"."+name, below.(map[string]any), given[name])
		}
	}
	compare("", schema, values)
}

// documented are values whose fields Kubernetes's documentation lists, and whose
// defaults set only some of them.
var documented = regexp.MustCompile(`^\.(autoscaling\.behavior|probes|affinity|(redis\.)?resources)`)
