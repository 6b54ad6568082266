package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Generated returns what is made from the chart and from docs/configuration.md: the
// content of each file, by its path in the repository.
func Generated() (map[string]string, error) {
	files := map[string]string{}
	schema, err := schemaFile()
	if err != nil {
		return nil, err
	}
	files["deploy/helm/qst/values.schema.json"] = schema
	readme, err := Run(helmDocs, "--chart-search-root", ".", "--template-files", "README.md.gotmpl", "--sort-values-order", "file", "--dry-run", "--log-level", "error")
	if err != nil {
		return nil, err
	}
	files["deploy/helm/qst/README.md"] = strings.TrimSpace(readme) + "\n"
	return files, kustomizations(files)
}

// ByChart are the variables that the chart sets by itself, from values of its own.
var ByChart = map[string]bool{
	"QST_LISTEN_ADDR": true, "QST_ADMIN_ADDR": true, // the ports that Services and probes name
	"QST_REDIS_URL": true, "QST_REDIS_CLUSTER": true, "QST_ADMIN_TOKEN": true, "QST_BOOTSTRAP_FILE": true,
	"QST_DRAIN_DELAY": true, "QST_DRAIN_TIMEOUT": true, // terminationGracePeriodSeconds follows from them
}

// row is a variable in docs/configuration.md, which is itself made from the code.
var row = regexp.MustCompile("(?m)^\\| `(QST_[A-Z_]+)` \\| (.+?) \\| (.+?) \\| (.+) \\|$")

// configSchema writes the schema of the value "config": of each variable what
// docs/configuration.md says is allowed.
func configSchema() (string, error) {
	doc, err := os.ReadFile(filepath.Join(Root, "docs", "configuration.md"))
	if err != nil {
		return "", err
	}
	rows := row.FindAllStringSubmatch(string(doc), -1)
	if len(rows) < 20 {
		return "", fmt.Errorf("docs/configuration.md has %d variables that can be read: has its table changed?", len(rows))
	}
	var out strings.Builder
	out.WriteString("{\n      \"type\": \"object\",\n      \"additionalProperties\": false,\n      \"properties\": {\n")
	first := true
	for _, r := range rows {
		if ByChart[r[1]] {
			continue
		}
		text, err := json.Marshal(valueSchema(strings.Trim(r[2], "`*"), r[3]))
		if err != nil {
			return "", err
		}
		if !first {
			out.WriteString(",\n")
		}
		first = false
		fmt.Fprintf(&out, "        %q: %s", r[1], text)
	}
	out.WriteString("\n      }\n    }")
	return out.String(), nil
}

var (
	whole    = regexp.MustCompile(`^([0-9]+) to ([0-9]+)(; 0: .*)?$`)
	duration = regexp.MustCompile(`^[0-9.]+(ms|h|m|s)$`)
	size     = regexp.MustCompile(`^[0-9]+([KMGT]i?B)$`)
	choice   = regexp.MustCompile(`^[a-z]+(, [a-z]+)* or [a-z]+$`)
)

// valueSchema says what may be written, with null for "as it is by default". It is
// never narrower than the service, which has the last word.
func valueSchema(value, allowed string) map[string]any {
	switch bounds := whole.FindStringSubmatch(allowed); {
	case allowed == "true or false":
		return map[string]any{"type": []string{"boolean", "null"}}
	case duration.MatchString(value):
		return map[string]any{"type": []string{"string", "null"}, "pattern": "^(0|([0-9]+([.][0-9]*)?(ns|us|µs|ms|s|m|h))+)$"}
	case size.MatchString(value):
		return map[string]any{"type": []string{"string", "integer", "null"}, "minimum": 0, "pattern": "^[0-9]+ *([KMG]i?B)?$"}
	case bounds != nil:
		low, _ := strconv.ParseInt(bounds[1], 10, 64)
		high, _ := strconv.ParseInt(bounds[2], 10, 64)
		if bounds[3] != "" {
			low = 0
		}
		return map[string]any{"type": []string{"integer", "null"}, "minimum": low, "maximum": high}
	case choice.MatchString(allowed):
		words := []any{nil}
		for _, w := range strings.FieldsFunc(strings.ReplaceAll(allowed, " or ", ","), func(r rune) bool { return r == ',' || r == ' ' }) {
			words = append(words, w)
		}
		return map[string]any{"enum": words}
	default:
		return map[string]any{"type": []string{"string", "null"}, "minLength": 1}
	}
}

// place is where values.schema.json has the schema of "config".
var place = regexp.MustCompile(`(?s)^(.*\n    "config": )\{.*\}(\n  \}\n\}\n)$`)

func schemaFile() (string, error) {
	text, err := os.ReadFile(filepath.Join(Chart, "values.schema.json"))
	if err != nil {
		return "", err
	}
	if !place.Match(text) {
		return "", errors.New(`values.schema.json: "config" is not the last of "$defs"`)
	}
	schema, err := configSchema()
	if err != nil {
		return "", err
	}
	return place.ReplaceAllStringFunc(string(text), func(found string) string {
		parts := place.FindStringSubmatch(found)
		return parts[1] + schema + parts[2]
	}), nil
}

// Stale returns the generated manifests that are there and no longer made.
func Stale(files map[string]string) (stale []string, err error) {
	for _, pattern := range []string{"base/*.yaml", "overlays/*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(Manifests, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			name, err := filepath.Rel(Root, file)
			if err != nil {
				return nil, err
			}
			name = filepath.ToSlash(name)
			if _, made := files[name]; !made && filepath.Base(name) != "values.yaml" {
				stale = append(stale, name)
			}
		}
	}
	return stale, nil
}
