package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Kubernetes are the releases that objects are validated for: the oldest that the
// chart takes, and the newest there is.
var Kubernetes = []string{"v1.27.16", "v" + Newest}

// definitions are the kinds that do not come with Kubernetes: the module that has
// their CustomResourceDefinition, and its file there.
var definitions = map[string][2]string{
	"HTTPRoute":      {"sigs.k8s.io/gateway-api@v1.4.1", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
	"ServiceMonitor": {operator, crds + "servicemonitors.yaml"},
	"PodMonitor":     {operator, crds + "podmonitors.yaml"},
	"PrometheusRule": {operator, crds + "prometheusrules.yaml"},
	"ScaledObject":   {"github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases/keda.sh_scaledobjects.yaml"},
}

const (
	operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	crds     = "example/prometheus-operator-crd/monitoring.coreos.com_"
)

var modules sync.Map

// module downloads a module through the Go proxy, the first time, and returns its
// folder. It is read, not compiled: it is no dependency of go.mod's.
func module(name string) (string, error) {
	dir, _ := modules.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		cmd := exec.Command("go", "mod", "download", "-json", name)
		cmd.Dir = os.TempDir()
		cmd.Env = append(os.Environ(), "GOWORK=off")
		text, failed := cmd.Output() // it says in its answer, too, what failed
		var found struct {
			Dir   string `json:"Dir"`   //nolint:tagliatelle // as go mod download writes it
			Error string `json:"Error"` //nolint:tagliatelle // the same
		}
		if err := json.Unmarshal(text, &found); err != nil {
			return "", errors.Join(failed, err)
		}
		if found.Error != "" {
			return "", errors.New(found.Error)
		}
		return found.Dir, nil
	}))
	return dir.(func() (string, error))() //nolint:forcetypeassert // what was stored above
}

type schemaKey struct{ kubernetes, apiVersion, kind string }

var schemas sync.Map

// Validate checks an object against the schema that a Kubernetes release, or the
// kind's CustomResourceDefinition, has for it. A field that is not in there is wrong.
func Validate(kubernetes string, o Object) error {
	key := schemaKey{kubernetes, o.Text("apiVersion"), o.Kind()}
	compiled, _ := schemas.LoadOrStore(key, sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(key) }))
	schema, err := compiled.(func() (*jsonschema.Schema, error))() //nolint:forcetypeassert // what was stored above
	if err != nil {
		return fmt.Errorf("%s: %w", o.ID(), err)
	}
	// By way of JSON: numbers as the validator expects them, and nothing that is not JSON.
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("%s: %w", o.ID(), err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", o.ID(), err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s, %s: %w", kubernetes, o.ID(), err)
	}
	return nil
}

func compile(key schemaKey) (*jsonschema.Schema, error) {
	document, at, err := load(key)
	if err != nil {
		return nil, err
	}
	strict(document)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4) // OpenAPI 3.0's dialect is made of it
	url := "mem:///" + key.kubernetes + "/" + key.apiVersion + "/" + key.kind
	if err := c.AddResource(url, document); err != nil {
		return nil, err
	}
	return c.Compile(url + "#" + at)
}

// load returns the document with a kind's schema, and where in it that is.
func load(key schemaKey) (document any, at string, err error) {
	if crd, ok := definitions[key.kind]; ok {
		dir, err := module(crd[0])
		if err != nil {
			return nil, "", err
		}
		text, err := os.ReadFile(filepath.Join(dir, crd[1]))
		if err != nil {
			return nil, "", err
		}
		var d Object
		if err := yaml.Unmarshal(text, (*map[string]any)(&d)); err != nil {
			return nil, "", err
		}
		_, version, _ := strings.Cut(key.apiVersion, "/")
		versions, _ := d.Get("spec", "versions").([]any)
		for _, v := range versions {
			if v, ok := v.(map[string]any); ok && v["name"] == version && d.Text("spec", "names", "kind") == key.kind {
				document, err := plain(Object(v).Get("schema", "openAPIV3Schema"))
				return document, "", err
			}
		}
		return nil, "", fmt.Errorf("%s has no %s", crd[1], key.apiVersion)
	}
	dir, err := module("k8s.io/kubernetes@" + key.kubernetes)
	if err != nil {
		return nil, "", err
	}
	name := "apis__" + strings.ReplaceAll(key.apiVersion, "/", "__")
	if !strings.Contains(key.apiVersion, "/") {
		name = "api__" + key.apiVersion
	}
	text, err := os.ReadFile(filepath.Join(dir, "api", "openapi-spec", "v3", name+"_openapi.json"))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", key.apiVersion, err)
	}
	if document, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text))); err != nil {
		return nil, "", err
	}
	all, _ := Object(document.(map[string]any)).Get("components", "schemas").(map[string]any)
	group, version, ok := strings.Cut(key.apiVersion, "/")
	if !ok {
		group, version = "", group
	}
	for name, schema := range all {
		kinds, _ := schema.(map[string]any)["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			if k, ok := k.(map[string]any); ok && len(kinds) == 1 && k["group"] == group && k["version"] == version && k["kind"] == key.kind {
				return document, "/components/schemas/" + name, nil
			}
		}
	}
	return nil, "", fmt.Errorf("no kind %s in %s", key.kind, key.apiVersion)
}

// plain makes of what YAML gave what JSON would give.
func plain(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
}

// strict closes every object of a schema that lists its fields, as the API server
// does with --validate=strict.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			strict(below)
		}
		_, lists := v["properties"].(map[string]any)
		_, says := v["additionalProperties"]
		_, open := v["x-kubernetes-preserve-unknown-fields"]
		if lists && v["type"] == "object" && !says && !open {
			v["additionalProperties"] = false
		}
		if v["nullable"] == true {
			if t, ok := v["type"].(string); ok {
				v["type"] = []any{t, "null"}
			}
		}
	case []any:
		for _, below := range v {
			strict(below)
		}
	}
}
