package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart.Root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	installs  = regexp.MustCompile(`(?m)^ {4}helm (?:install|upgrade) qst ((?:.*\\\n)*.*)$`)
	images    = regexp.MustCompile(`(?m)^ {4}make image IMAGE=(\S+)$`)
	yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?)```")
	// given are what a command line has of the reader's own.
	given = strings.NewReplacer("\\\n", " ", `"$(openssl rand -hex 32)"`, "0123456789abcdef",
		"deploy/helm/qst", "", "oci://ghcr.io/queuestatetransfer/charts/qst --version 1.2.3", "",
		"--wait", "", "--reuse-values", "--set redis.enabled=true")
)

// What the documents tell to install can be rendered, and from a clone it asks for the
// image that the same page has built.
func TestDocumentedInstallations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"docs/kubernetes.md", "deploy/helm/qst/README.md"} {
		text := document(t, name)
		built := images.FindStringSubmatch(text)
		if built == nil {
			t.Fatalf("%s builds no image", name)
		}
		commands := installs.FindAllStringSubmatch(text, -1)
		if len(commands) < 2 {
			t.Fatalf("%s: %d commands", name, len(commands))
		}
		for i, m := range commands {
			args := strings.Fields(given.Replace(m[1]))
			for j, arg := range args {
				if arg == "my-values.yaml" {
					args[j] = file(t, yamlBlock.FindStringSubmatch(text)[1])
				}
			}
			objects, err := chart.Template(chart.Helm4, args...)
			if err != nil {
				t.Errorf("%s: helm install qst %s: %v", name, m[1], err)
				continue
			}
			image := api0(t, objects, "qst").Spec.Containers[0].Image
			if i == 0 && image != built[1] {
				t.Errorf("%s: the page builds %s, and installs %s", name, built[1], image)
			}
		}
	}
}

// Each block of values on the page about Kubernetes is one that the chart takes.
func TestDocumentedValues(t *testing.T) {
	t.Parallel()
	blocks := yamlBlock.FindAllStringSubmatch(document(t, "docs/kubernetes.md"), -1)
	for _, b := range blocks {
		var values map[string]any
		if err := yaml.Unmarshal([]byte(b[1]), &values); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
		if values["rules"] != nil {
			continue // prometheus-adapter's
		}
		args := []string{"--values", file(t, b[1])}
		if values["externalRedis"] == nil {
			args = append(args, "--set", "redis.enabled=true")
		}
		if _, err := chart.Template(chart.Helm4, args...); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
	if len(blocks) < 2 {
		t.Errorf("found only %d", len(blocks))
	}
}

// Where people look for logs by the container's name, it is the one that the chart gives.
func TestContainerNameInDashboardsAndDocuments(t *testing.T) {
	t.Parallel()
	name := api0(t, render(t, chart.Helm4, values["own Redis"]), "qst").Spec.Containers[0].Name
	files, _ := filepath.Glob(filepath.Join(chart.Chart, "dashboards", "*.json"))
	named := regexp.MustCompile(`container=\\?"(\w+)\\?"`)
	found := 0
	for _, path := range append(files, filepath.Join(chart.Root, "docs", "operations.md"), filepath.Join(chart.Root, "docs", "kubernetes.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if found++; m[1] != name {
				t.Errorf("%s: %s: the container is called %s", filepath.Base(path), m[0], name)
			}
		}
	}
	if found < 2 {
		t.Errorf("found only %d", found)
	}
}
