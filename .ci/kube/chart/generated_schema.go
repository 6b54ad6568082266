package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// openAPI is what the service says of itself; tests of its own hold it to that.
var openAPI = filepath.Join(Root, "services", "api", "internal", "httpapi", "openapi.yaml")

// channelSchema writes the schema of a channel in the value "bootstrap.channels": what
// the admin API takes, and, as every start would make another one without, of each
// credential its id and secret, of each webhook its queue and secret.
func channelSchema() (string, error) {
	text, err := os.ReadFile(openAPI)
	if err != nil {
		return "", err
	}
	var document Object
	if err := yaml.Unmarshal(text, (*map[string]any)(&document)); err != nil {
		return "", fmt.Errorf("%s: %w", openAPI, err)
	}
	channel, err := resolved(document, "#/components/schemas/NewChannel")
	if err != nil {
		return "", err
	}
	credential, err := resolved(document, "#/components/schemas/NewCredential")
	if err != nil {
		return "", err
	}
	credential["required"] = []any{"id", "endpoint", "secret"}
	properties, ok := channel["properties"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("%s: NewChannel has no properties", openAPI)
	}
	webhook, err := resolved(document, "#/components/schemas/NewWebhook")
	if err != nil {
		return "", err
	}
	webhook["required"] = []any{"queue", "push_url", "secret"}
	properties["webhooks"] = map[string]any{"type": "array", "items": webhook, "maxItems": 3}
	properties["credentials"] = map[string]any{"type": "array", "items": credential, "maxItems": 32}
	return indented(channel)
}

// resolved returns a schema of a document with what it refers to in the place of that,
// and without what only people read.
func resolved(document Object, name string) (map[string]any, error) {
	schema, ok := document.Get(strings.Split(strings.TrimPrefix(name, "#/"), "/")...).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: no schema %s", openAPI, name)
	}
	var failed error
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				below, err := resolved(document, ref)
				failed = errors.Join(failed, err)
				return below
			}
			out := map[string]any{}
			for name, below := range v {
				if _, isText := below.(string); name == "description" && isText || slices.Contains([]string{"examples", "format", "default", "writeOnly"}, name) {
					continue
				}
				out[name] = walk(below)
			}
			if all, ok := out["allOf"].([]any); ok && len(all) == 1 && len(out) == 1 {
				return all[0]
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = walk(v[i])
			}
			return out
		default:
			return v
		}
	}
	out, _ := walk(schema).(map[string]any)
	return out, failed
}

// Alert is one of rules/qst.yaml, with the numbers that the chart's values may set:
// those before "# threshold" and "# atLeast" in its expression.
type Alert struct {
	Name, Expr, For, Severity string
	Numbers                   map[string]string
}

var marked = regexp.MustCompile(`([0-9.]+) # ([a-zA-Z]+)`)

// Alerts returns those of rules/qst.yaml.
func Alerts() (alerts []Alert, err error) {
	text, err := os.ReadFile(filepath.Join(Chart, "rules", "qst.yaml"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("rules/qst.yaml: %w", err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			a := Alert{Name: r.Alert, Expr: r.Expr, For: r.For, Severity: r.Labels["severity"], Numbers: map[string]string{}}
			for _, m := range marked.FindAllStringSubmatch(r.Expr, -1) {
				if a.Numbers[m[2]] != "" || m[2] != "threshold" && m[2] != "atLeast" {
					return nil, fmt.Errorf("rules/qst.yaml: %s: %q, a second time or of another name", r.Alert, m[0])
				}
				a.Numbers[m[2]] = m[1]
			}
			alerts = append(alerts, a)
		}
	}
	return alerts, nil
}

// alertsSchema writes the schema of the value "prometheusRule.alerts": each alert with
// the numbers that it has.
func alertsSchema() (string, error) {
	alerts, err := Alerts()
	if err != nil {
		return "", err
	}
	all := map[string]any{}
	for _, a := range alerts {
		properties := map[string]any{
			"enabled":  map[string]any{"type": "boolean"},
			"severity": map[string]any{"enum": []string{"critical", "warning", "info"}},
			"for":      map[string]any{"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"},
		}
		for name := range a.Numbers {
			properties[name] = map[string]any{"type": []string{"number", "null"}, "minimum": 0}
		}
		all[a.Name] = map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	}
	return indented(map[string]any{"type": "object", "additionalProperties": false, "properties": all})
}

func indented(v any) (string, error) {
	text, err := json.MarshalIndent(v, "    ", "  ")
	return string(text), err
}
