package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

var helms = map[string]string{"helm 3": chart.Helm3, "helm 4": chart.Helm4}

func file(t *testing.T, text string) string {
	t.Helper()
	// Not t.TempDir: the test's name would be in it, and Helm splits at commas.
	dir, err := os.MkdirTemp("", "chart-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	name := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func render(t *testing.T, helm, values string) []chart.Object {
	t.Helper()
	objects, err := chart.Template(helm, "--values", file(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func find(t *testing.T, objects []chart.Object, id string) chart.Object {
	t.Helper()
	for _, o := range objects {
		if o.ID() == id {
			return o
		}
	}
	t.Fatalf("no %s in %v", id, ids(objects))
	return nil
}

func ids(objects []chart.Object) (ids []string) {
	for _, o := range objects {
		ids = append(ids, o.ID())
	}
	slices.Sort(ids)
	return ids
}

// as reads a part of an object into one of Kubernetes's own types.
func as[T any](t *testing.T, part any) T {
	t.Helper()
	var v T
	text, err := json.Marshal(part)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func api0(t *testing.T, objects []chart.Object, name string) corev1.PodTemplateSpec {
	t.Helper()
	return as[corev1.PodTemplateSpec](t, find(t, objects, "Deployment/"+name).Get("spec", "template"))
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	restricted, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range values {
		for name, helm := range helms {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				if out, err := chart.Run(helm, "lint", "--strict", "--kube-version", chart.Newest, ".", "--values", file(t, text)); err != nil {
					t.Errorf("lint: %v\n%s", err, out)
				}
				objects := render(t, helm, text)
				if found := ids(objects); len(slices.Compact(slices.Clone(found))) != len(found) {
					t.Errorf("an object twice: %v", found)
				}
				for _, o := range objects {
					for _, release := range chart.Kubernetes {
						if err := chart.Validate(release, o); err != nil {
							t.Error(err)
						}
					}
					// What runs has what the strictest of Kubernetes's profiles asks.
					var spec any
					switch o.Kind() {
					case "Deployment", "StatefulSet":
						spec = o.Get("spec", "template", "spec")
					case "Pod":
						spec = o.Get("spec")
					default:
						continue
					}
					pod := as[corev1.PodSpec](t, spec)
					level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
					for _, r := range restricted.EvaluatePod(level, &metav1.ObjectMeta{}, &pod) {
						if !r.Allowed {
							t.Errorf("%s: %s: %s", o.ID(), r.ForbiddenReason, r.ForbiddenDetail)
						}
					}
					if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
						t.Errorf("%s gets a token", o.ID())
					}
					for _, c := range pod.Containers {
						if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
							t.Errorf("%s can write to its root", o.ID())
						}
					}
				}
			})
		}
	}
}

func env(t *testing.T, template corev1.PodTemplateSpec) map[string]corev1.EnvVar {
	t.Helper()
	all := map[string]corev1.EnvVar{}
	for _, e := range template.Spec.Containers[0].Env {
		all[e.Name] = e
	}
	return all
}

func TestRedis(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]struct{ url, secret, key, password string }{
		"own Redis":          {url: "redis://:$(REDIS_PASSWORD)@qst-redis:6379/0", password: "qst-redis/redis-password"},
		"own Redis, by name": {url: "redis://:$(REDIS_PASSWORD)@qst-redis:6379/0", password: "r/k"},
		"own Redis, bare":    {url: "redis://qst-redis:6379/0"},
		"URL":                {secret: "qst/redis-url", key: "rediss://:p%20w@redis:6380/2"},
		"URL in a Secret":    {secret: "r/u"},
		"standalone":         {secret: "qst/redis-url", key: "rediss://us%20er:p%40ss%20word@redis:6379/3"},
		"Sentinel":           {url: "redis://a:26379/0?addr=b:26379&master_name=main&username=qst&password=$(REDIS_PASSWORD)", password: "r/password"},
		"Cluster":            {url: "rediss://:$(REDIS_PASSWORD)@a:6379?addr=b:6379", password: "r/password"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			objects := render(t, chart.Helm4, values[what])
			all := env(t, api0(t, objects, "qst"))
			url := all["QST_REDIS_URL"]
			if url.Value != want.url {
				t.Errorf("URL %s, want %s", url.Value, want.url)
			}
			if got := reference(url); got != want.secret {
				t.Errorf("URL from %s, want %s", got, want.secret)
			}
			if got := reference(all["REDIS_PASSWORD"]); got != want.password {
				t.Errorf("password from %s, want %s", got, want.password)
			}
			if want.key != "" {
				if got := find(t, objects, "Secret/qst").Text("stringData", "redis-url"); got != want.key {
					t.Errorf("the Secret has %s, want %s", got, want.key)
				}
			}
			cluster := find(t, objects, "ConfigMap/qst").Text("data", "QST_REDIS_CLUSTER") == "true"
			if want := what == "Cluster" || what == "URL in a Secret"; cluster != want {
				t.Errorf("QST_REDIS_CLUSTER %v, want %v", cluster, want)
			}
		})
	}
}

func reference(e corev1.EnvVar) string {
	if e.ValueFrom == nil {
		return ""
	}
	return e.ValueFrom.SecretKeyRef.Name + "/" + e.ValueFrom.SecretKeyRef.Key
}

func TestWhatFollowsFromWhat(t *testing.T) {
	t.Parallel()
	objects := render(t, chart.Helm3, values["everything"])
	const name = "qst-messages"
	template := api0(t, objects, name)
	if got := *template.Spec.TerminationGracePeriodSeconds; got != 85 {
		t.Errorf("terminationGracePeriodSeconds %d", got) // 15 + 60 + 10
	}
	all := env(t, template)
	if got := all["GOMEMLIMIT"].Value; got != "1207959552" { // 75 % of 1.5 GiB
		t.Errorf("GOMEMLIMIT %s", got)
	}
	if got := all["GOGC"].Value; got != "200" {
		t.Errorf("GOGC %s", got)
	}
	data := find(t, objects, "ConfigMap/"+name)
	for key, want := range map[string]string{
		"QST_MAX_POLLS": "1000000", "QST_PUSH_MAX_BYTES": "2097152", "QST_DRAIN_DELAY": "15s", "QST_DRAIN_TIMEOUT": "60s", "QST_LOG_FORMAT": "",
	} {
		if got := data.Text("data", key); got != want {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	// Polls of 90 s, answers of 1.5 s, and 10.
	if got := find(t, objects, "Ingress/"+name).Text("metadata", "annotations", "nginx.ingress.kubernetes.io/proxy-read-timeout"); got != "102" {
		t.Errorf("proxy-read-timeout %s", got)
	}
	if got := find(t, objects, "Ingress/"+name).Text("metadata", "annotations", "nginx.ingress.kubernetes.io/proxy-body-size"); got != "1m" {
		t.Errorf("proxy-body-size %s: an annotation of the user's does not win", got)
	}
	route := find(t, objects, "HTTPRoute/"+name).Get("spec", "rules").([]any)[0].(map[string]any)["timeouts"].(map[string]any)
	if route["request"] != "102s" || route["backendRequest"] != "102s" {
		t.Errorf("timeouts of the route: %v", route)
	}
	var file struct{ Channels []map[string]any }
	if err := yaml.Unmarshal([]byte(find(t, objects, "Secret/"+name+"-bootstrap").Text("stringData", "bootstrap.yaml")), &file); err != nil || len(file.Channels) != 2 {
		t.Fatalf("bootstrap: %v, %v", file, err)
	}
	if got := file.Channels[0]["settings"].(map[string]any)["queue_max_bytes"]; got != 1<<40 {
		t.Errorf("queue_max_bytes %v", got) // not 1.099511627776e+12
	}

	open := render(t, chart.Helm3, values["closed, outside Redis"])
	if _, ok := env(t, api0(t, open, "qst"))["GOMEMLIMIT"]; ok {
		t.Error("GOMEMLIMIT without a memory limit")
	}
	if rules := find(t, open, "HTTPRoute/qst").Get("spec", "rules").([]any); rules[0].(map[string]any)["timeouts"] != nil {
		t.Error("httpRoute.timeout=null leaves time-outs")
	}
}

func TestReplicasAndBudget(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]struct {
		replicas any
		budget   bool
		scaler   string
	}{
		"own Redis":      {replicas: 2, budget: true},
		"one replica":    {replicas: 1},
		"no credentials": {replicas: 2},
		"HPA":            {replicas: nil, budget: true, scaler: "HorizontalPodAutoscaler/qst"},
		"KEDA":           {replicas: nil, budget: true, scaler: "ScaledObject/qst"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			objects := render(t, chart.Helm4, values[what])
			if got := find(t, objects, "Deployment/qst").Get("spec", "replicas"); got != want.replicas {
				t.Errorf("replicas %v, want %v", got, want.replicas)
			}
			all := ids(objects)
			if got := slices.Contains(all, "PodDisruptionBudget/qst"); got != want.budget {
				t.Errorf("budget %v, want %v", got, want.budget)
			}
			for _, scaler := range []string{"HorizontalPodAutoscaler/qst", "ScaledObject/qst"} {
				if got := slices.Contains(all, scaler); got != (scaler == want.scaler) {
					t.Errorf("%s: %v", scaler, got)
				}
			}
		})
	}
}

// The credential of the test is the one that the service is told of.
func TestTestChannel(t *testing.T) {
	t.Parallel()
	objects := render(t, chart.Helm4, values["own Redis"])
	secret := find(t, objects, "Secret/qst-test").Text("stringData", "password")
	if len(secret) != 32 || !strings.Contains(find(t, objects, "Secret/qst-bootstrap").Text("stringData", "bootstrap.yaml"), secret) {
		t.Errorf("the test's secret is %d characters long, and not the service's", len(secret))
	}
	for _, o := range render(t, chart.Helm4, values["no credentials"]) {
		if o.Kind() == "Secret" && o.Name() != "qst-redis" {
			t.Errorf("%s, without credentials", o.ID())
		}
	}
}

// Rules and dashboards come into the chart as they are.
func TestRulesAndDashboards(t *testing.T) {
	t.Parallel()
	rules, _ := filepath.Glob(filepath.Join(chart.Chart, "rules", "*.y*ml"))
	if len(rules) == 0 {
		t.Fatal("the chart has no rules")
	}
	objects := render(t, chart.Helm4, "redis: {enabled: true}\nprometheusRule: {enabled: true, labels: {release: p}}\ndashboards: {enabled: true}")
	for _, o := range objects {
		if err := chart.Validate(chart.Kubernetes[1], o); err != nil {
			t.Error(err)
		}
	}
	find(t, objects, "PrometheusRule/qst")
	boards, _ := filepath.Glob(filepath.Join(chart.Chart, "dashboards", "*.json"))
	found := 0
	for _, o := range objects {
		if o.Text("metadata", "labels", "grafana_dashboard") != "1" {
			continue
		}
		found++
		data, _ := o.Get("data").(map[string]any)
		for name, text := range data {
			want, err := os.ReadFile(filepath.Join(chart.Chart, "dashboards", name))
			if err != nil || strings.TrimSpace(string(want)) != strings.TrimSpace(text.(string)) {
				t.Errorf("%s: %s is not as in dashboards/: %v", o.ID(), name, err)
			}
		}
	}
	if found != len(boards) {
		t.Errorf("%d dashboards in ConfigMaps, %d in dashboards/", found, len(boards))
	}
}
