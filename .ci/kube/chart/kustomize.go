package chart

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Manifests is the kustomizations' folder.
var Manifests = filepath.Join(Root, "deploy", "k8s")

// Overlays are the kustomizations over the base. Each has a values.yaml, and is the
// chart with the base's values and its own.
var Overlays = []string{"dev", "production"}

// Wanted renders what a kustomization must come to: the chart with the base's
// values, and an overlay's unless that is "".
func Wanted(overlay string) ([]Object, error) {
	args := []string{"--skip-tests", "--values", filepath.Join(Manifests, "base", "values.yaml")}
	if overlay != "" {
		args = append(args, "--values", filepath.Join(Manifests, "overlays", overlay, "values.yaml"))
	}
	objects, err := Template(Helm4, args...)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		withoutHelm(o)
	}
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.ID(), b.ID()) })
	return objects, nil
}

// withoutHelm takes away what is true of a Helm release only. The namespace is the
// user's to choose. The checksums would stay as they are where a patch changes what
// they are of.
func withoutHelm(o Object) {
	metadata, _ := o["metadata"].(map[string]any)
	delete(metadata, "namespace")
	if labels, ok := metadata["labels"].(map[string]any); ok {
		delete(labels, "helm.sh/chart")
		delete(labels, "app.kubernetes.io/managed-by")
	}
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, "qst/autoscaled")
		if len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}
	template, _ := o.Get("spec", "template", "metadata").(map[string]any)
	if annotations, ok := template["annotations"].(map[string]any); ok {
		maps.DeleteFunc(annotations, func(name string, _ any) bool { return strings.HasPrefix(name, "checksum/") })
		if len(annotations) == 0 {
			delete(template, "annotations")
		}
	}
}

const header = "# Generated from the chart by `make generate`, with values.yaml. Change it there.\n"

// kustomizations adds the files of deploy/k8s.
func kustomizations(files map[string]string) error {
	base, err := Wanted("")
	if err != nil {
		return err
	}
	k := map[string]any{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
	names, err := add(files, "deploy/k8s/base", base)
	if err != nil {
		return err
	}
	k["resources"] = names
	if files["deploy/k8s/base/kustomization.yaml"], err = write(k); err != nil {
		return err
	}
	for _, overlay := range Overlays {
		wanted, err := Wanted(overlay)
		if err != nil {
			return err
		}
		if err := addOverlay(files, path.Join("deploy/k8s/overlays", overlay), base, wanted); err != nil {
			return fmt.Errorf("%s: %w", overlay, err)
		}
	}
	return nil
}

// add adds a file for each object, and returns their names.
func add(files map[string]string, dir string, objects []Object) (names []any, err error) {
	for _, o := range objects {
		name := strings.ToLower(o.Kind() + "-" + o.Name() + ".yaml")
		if files[path.Join(dir, name)], err = write(o); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// addOverlay adds an overlay: objects of its own, and patches of the base's.
func addOverlay(files map[string]string, dir string, base, wanted []Object) error {
	have := map[string]Object{}
	for _, o := range base {
		have[o.ID()] = o
	}
	var added []Object
	var patches []any
	for _, w := range wanted {
		b, ok := have[w.ID()]
		delete(have, w.ID())
		if !ok {
			added = append(added, w)
			continue
		}
		if ops := difference("", map[string]any(b), map[string]any(w)); len(ops) > 0 {
			text, err := encode(ops)
			if err != nil {
				return err
			}
			patches = append(patches, map[string]any{"target": target(w), "patch": text})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(have)) {
		o := have[id]
		text, err := encode(map[string]any{
			"apiVersion": o["apiVersion"], "kind": o.Kind(), "metadata": map[string]any{"name": o.Name()}, "$patch": "delete",
		})
		if err != nil {
			return err
		}
		patches = append(patches, map[string]any{"patch": text})
	}
	names, err := add(files, dir, added)
	if err != nil {
		return err
	}
	k := map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
		"resources": append([]any{"../../base"}, names...),
	}
	if len(patches) > 0 {
		k["patches"] = patches
	}
	files[path.Join(dir, "kustomization.yaml")], err = write(k)
	return err
}

func target(o Object) map[string]any { return map[string]any{"kind": o.Kind(), "name": o.Name()} }

// difference returns the JSON patch (RFC 6902) that makes b of a.
func difference(at string, a, b any) (ops []any) {
	switch from := a.(type) {
	case map[string]any:
		if to, ok := b.(map[string]any); ok {
			return differentMaps(at, from, to)
		}
	case []any:
		if to, ok := b.([]any); ok && len(from) == len(to) {
			for i := range from {
				ops = append(ops, difference(at+"/"+strconv.Itoa(i), from[i], to[i])...)
			}
			return ops
		}
	}
	if reflect.DeepEqual(a, b) {
		return nil
	}
	return []any{map[string]any{"op": "replace", "path": at, "value": b}}
}

func differentMaps(at string, a, b map[string]any) (ops []any) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		below := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		from, was := a[name]
		to, is := b[name]
		switch {
		case !is:
			ops = append(ops, map[string]any{"op": "remove", "path": below})
		case !was:
			ops = append(ops, map[string]any{"op": "add", "path": below, "value": to})
		default:
			ops = append(ops, difference(below, from, to)...)
		}
	}
	return ops
}

func write(v any) (string, error) {
	text, err := encode(v)
	return header + text, err
}

func encode(v any) (string, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return out.String(), e.Close()
}
