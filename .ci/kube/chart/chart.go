// Package chart renders the Helm chart and the kustomizations, for the tests beside
// it and for what is generated from the chart.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Root is the repository's folder.
var Root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}()

// Chart is the chart's folder.
var Chart = filepath.Join(Root, "deploy", "helm", "qst")

// The tools, as `go tool` names them.
const (
	Helm3    = "helm.sh/helm/v3/cmd/helm"
	Helm4    = "helm.sh/helm/v4/cmd/helm"
	helmDocs = "github.com/norwoodj/helm-docs/cmd/helm-docs"
)

// Newest is the Kubernetes that charts are rendered for where nothing else is said.
const Newest = "1.37.1"

var tools sync.Map

// Tool builds a tool that go.mod pins, the first time, and returns where it is.
func Tool(name string) (string, error) {
	path, _ := tools.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		cmd := exec.Command("go", "tool", "-n", name)
		cmd.Dir = filepath.Join(Root, ".ci", "kube")
		cmd.Env = append(os.Environ(), "GOWORK=off")
		return output(cmd)
	}))
	return path.(func() (string, error))() //nolint:forcetypeassert // what was stored above
}

// Run runs a tool in the chart's folder and returns what it wrote.
func Run(tool string, args ...string) (string, error) {
	path, err := Tool(tool)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = Chart
	return output(cmd)
}

func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Object is a Kubernetes object.
type Object map[string]any

// Get returns what is at a path of names, or nil.
func (o Object) Get(path ...string) any {
	var at any = map[string]any(o)
	for _, name := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[name]
	}
	return at
}

// Text returns the text at a path, or "".
func (o Object) Text(path ...string) string {
	text, _ := o.Get(path...).(string)
	return text
}

// Kind and Name are what objects of a namespace are told apart by.
func (o Object) Kind() string { return o.Text("kind") }

// Name is the object's name.
func (o Object) Name() string { return o.Text("metadata", "name") }

// ID is kind and name.
func (o Object) ID() string { return o.Kind() + "/" + o.Name() }

// Template renders the chart. The release is "qst", in the namespace "default".
func Template(helm string, args ...string) ([]Object, error) {
	text, err := Run(helm, append([]string{"template", "qst", ".", "--kube-version", Newest}, args...)...)
	if err != nil {
		return nil, err
	}
	return Parse([]byte(text))
}

// Parse reads a stream of YAML documents.
func Parse(text []byte) (objects []Object, err error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var o map[string]any // not Object: the maps inside would be of that type, too
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case o != nil:
			objects = append(objects, o)
		}
	}
}

// Kustomize builds a kustomization.
func Kustomize(dir string) ([]Object, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, err
	}
	return Parse(text)
}
