package chart_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

func has[T any](items []T, name func(T) string, want string) bool {
	return slices.ContainsFunc(items, func(item T) bool { return name(item) == want })
}

// What users add to the pods is there, beside what the chart needs.
func TestExtras(t *testing.T) {
	t.Parallel()
	objects := render(t, chart.Helm4, values["extras"])
	for id, own := range map[string]struct {
		container, volume string
		grace             int64
	}{
		"Deployment/qst":        {"api", "bootstrap", 40}, // 5 + 20 + 15
		"StatefulSet/qst-redis": {"redis", "config", 60},
	} {
		o := find(t, objects, id)
		pod := as[corev1.PodTemplateSpec](t, o.Get("spec", "template"))
		container := func(c corev1.Container) string { return c.Name }
		volume := func(v corev1.Volume) string { return v.Name }
		mount := func(m corev1.VolumeMount) string { return m.Name }
		if c := pod.Spec.Containers; c[0].Name != own.container || !has(c, container, "beside") || !has(pod.Spec.InitContainers, container, "beside") {
			t.Errorf("%s: containers %v, %v", id, pod.Spec.InitContainers, c)
		}
		if v := pod.Spec.Volumes; !has(v, volume, "x") || !has(v, volume, own.volume) {
			t.Errorf("%s: volumes %v", id, v)
		}
		if m := pod.Spec.Containers[0].VolumeMounts; !has(m, mount, "x") || !has(m, mount, own.volume) {
			t.Errorf("%s: mounts %v", id, m)
		}
		if got := *pod.Spec.TerminationGracePeriodSeconds; got != own.grace {
			t.Errorf("%s: terminationGracePeriodSeconds %d", id, got)
		}
		if o.Text("metadata", "annotations", "a") != "b" {
			t.Errorf("%s: annotations %v", id, o.Get("metadata", "annotations"))
		}
	}
	if hook := api0(t, objects, "qst").Spec.Containers[0].Lifecycle; hook == nil || hook.PreStop == nil {
		t.Error("no preStop")
	}
	if got := find(t, objects, "ConfigMap/as-it-is").Text("data", "a"); got != "{{ $value }}" {
		t.Errorf("an object was taken for a template: %s", got)
	}
	find(t, objects, "ConfigMap/qst-template")
}

// Every object of the chart's has the common labels and annotations, and those that have
// a value for annotations of their own have those, too.
func TestLabelsAndAnnotationsEverywhere(t *testing.T) {
	t.Parallel()
	everywhere := file(t, "commonAnnotations: {everywhere: 'yes'}\ncommonLabels: {everywhere: 'yes'}")
	kinds := map[string]bool{}
	for what, text := range values {
		objects, err := chart.Template(chart.Helm4, "--values", file(t, text), "--values", everywhere)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o.Text("metadata", "labels", "app.kubernetes.io/instance") == "" {
				continue // of extraObjects
			}
			kinds[o.Kind()] = true
			if o.Text("metadata", "labels", "everywhere") != "yes" || o.Text("metadata", "annotations", "everywhere") != "yes" {
				t.Errorf("%s: %s: labels and annotations %v", what, o.ID(), o.Get("metadata"))
			}
			own := map[string]bool{
				"Deployment": true, "StatefulSet": true, "HorizontalPodAutoscaler": true, "PodDisruptionBudget": true, "Ingress": true,
				"PodMonitor": true, "PrometheusRule": true, "Pod": true,
			}
			if what == "extras" && own[o.Kind()] && o.Text("metadata", "annotations", "a") != "b" {
				t.Errorf("%s lacks its own annotation: %v", o.ID(), o.Get("metadata", "annotations"))
			}
			if o.Kind() == "Pod" && o.Text("metadata", "annotations", "helm.sh/hook") != "test" {
				t.Errorf("%s is no test any more", o.ID())
			}
		}
	}
	if len(kinds) < 15 {
		t.Errorf("only %v", kinds)
	}
}

// The chart can be a dependency: with a condition, and with values for all charts.
func TestUmbrella(t *testing.T) {
	t.Parallel()
	for name, helm := range helms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Dir(file(t, "global: {imageRegistry: example.org}\nqst: {enabled: true, redis: {enabled: true}}"))
			text := "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n- {name: qst, version: '*', repository: 'file://" + chart.Chart + "', condition: qst.enabled}\n"
			if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := chart.Run(helm, "dependency", "update", dir); err != nil {
				t.Fatal(err, out)
			}
			for enabled, want := range map[string]bool{"true": true, "false": false} {
				out, err := chart.Run(helm, "template", "umbrella", dir, "--kube-version", chart.Newest, "--set", "qst.enabled="+enabled)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Contains(out, "kind: Deployment"); got != want {
					t.Errorf("enabled %s: a Deployment: %v", enabled, got)
				}
			}
		})
	}
}

// What nginx lets in is what the service reads: a batch, and what gzip may add to it.
func TestBodySize(t *testing.T) {
	t.Parallel()
	for size, want := range map[string]string{"null": "1114112", "1MiB": "1114112", "2 mb": "2065536", "3000000": "3065536", "1GiB": "1073807360"} {
		o := render(t, chart.Helm4, "redis: {enabled: true}\ningress: {enabled: true, hosts: [a]}\nconfig: {QST_PUSH_MAX_BYTES: "+size+"}")
		if got := find(t, o, "Ingress/qst").Text("metadata", "annotations", "nginx.ingress.kubernetes.io/proxy-body-size"); got != want {
			t.Errorf("QST_PUSH_MAX_BYTES=%s: %s, want %s", size, got, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(chart.Root, "services/api/internal/httpapi/receive.go"))
	if err != nil || !strings.Contains(string(text), "\nconst gzipOverhead = 64 << 10\n") {
		t.Errorf("gzipOverhead is not what qst.requestBytes has: %v", err)
	}
}
