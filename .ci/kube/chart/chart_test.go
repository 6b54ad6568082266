package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
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

// values are texts of values files by what they are for. Each is rendered by both
// Helms and validated for the oldest and the newest Kubernetes.
var values = map[string]string{
	"own Redis": "redis: {enabled: true}",
	"own Redis, by name": `
redis: {enabled: true, auth: {existingSecret: r, existingSecretKey: k}, persistence: {storageClass: fast}, priorityClassName: high,
  nodeSelector: {a: b}, tolerations: [{key: a, operator: Exists}], appendfsync: always, image: {digest: "sha256:` + strings.Repeat("0", 64) + `"}}`,
	"own Redis, bare": "redis: {enabled: true, auth: {enabled: false}, persistence: {enabled: false}, networkPolicy: false, resources: {limits: {memory: null}}}",
	"URL":             "externalRedis: {url: 'rediss://:p%20w@redis:6380/2'}",
	"URL in a Secret": "externalRedis: {existingSecret: r, existingSecretUrlKey: u, mode: cluster}",
	"standalone":      "externalRedis: {addresses: ['redis:6379'], username: us er, password: 'p@ss word', database: 3, tls: {enabled: true, caSecret: ca}}",
	"Sentinel":        "externalRedis: {mode: sentinel, masterName: main, addresses: ['a:26379', 'b:26379'], existingSecret: r, username: qst}",
	"Cluster":         "externalRedis: {mode: cluster, addresses: ['a:6379', 'b:6379'], existingSecret: r, tls: {enabled: true}}",
	"one replica":     "redis: {enabled: true}\nreplicas: 1",
	"HPA": `
redis: {enabled: true}
autoscaling: {enabled: true, pollsPerReplica: 8000, requestsPerReplica: 1000000,
  extraMetrics: [{type: External, external: {metric: {name: x}, target: {type: Value, value: "1"}}}]}`,
	"KEDA": `
redis: {enabled: true}
autoscaling: {enabled: true, pollsPerReplica: 8000, requestsPerReplica: 500,
  keda: {enabled: true, prometheusAddress: "http://prometheus:9090", extraTriggers: [{type: cron, metadata: {timezone: UTC, start: "0 7 * * *", end: "0 9 * * *", desiredReplicas: "10"}}]}}`,
	"everything": `
redis: {enabled: true}
nameOverride: messages
commonLabels: {team: sms}
imagePullSecrets: [{name: registry}]
config: {QST_MAX_POLLS: 1000000, QST_LONG_POLL_MAX: 1m30s, QST_REQUEST_TIMEOUT: 1500ms, QST_PULL_MAX_BYTES: 2MiB, QST_PUSH_MAX_BYTES: 2097152, QST_LOG_FORMAT: null}
otel: {OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318"}
extraEnv: [{name: A, value: b}, {name: C, valueFrom: {secretKeyRef: {name: s, key: k}}}]
extraEnvFrom: [{secretRef: {name: s}}]
admin: {token: "abcdefghijklmnopqrstuvwxyz=="}
bootstrap:
  channels:
    - name: acme
      settings: {queue_max_bytes: 1099511627776, retention: 24h, report_states: true}
      labels: {country: kh}
      credentials: [{id: gw, endpoint: gateway, rights: [push], secret: 0123456789abcdef}]
go: {memoryPercent: 75, gogc: 200}
resources: {requests: {cpu: 2, memory: 1.5Gi}, limits: {cpu: 4, memory: 1.5Gi}}
drain: {delaySeconds: 15, timeoutSeconds: 60}
strategy: {maxSurge: 25%, maxUnavailable: 10%}
service: {type: LoadBalancer, port: 8080, nodePort: 30080, loadBalancerClass: x/y, externalTrafficPolicy: Local, annotations: {a: b}}
internalService: {annotations: {a: b}}
ingress: {enabled: true, className: nginx, hosts: [qst.example.org, "*.example.org"], tls: [{secretName: t, hosts: [qst.example.org]}], annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 1m}}
httpRoute: {enabled: true, parentRefs: [{name: public, namespace: gateways, sectionName: https}], hostnames: [qst.example.org], annotations: {a: b}}
networkPolicy: {enabled: true, clients: [{namespaceSelector: {}}], internal: [{podSelector: {}}], egress: {otlp: [{podSelector: {}}], extra: [{ports: [{port: 443}]}]}}
serviceMonitor: {enabled: true, labels: {release: p}}
dashboards: {enabled: true, annotations: {grafana_folder: QST}}
serviceAccount: {annotations: {a: b}}
podAntiAffinity: hard
topologySpread: {whenUnsatisfiable: DoNotSchedule}
nodeSelector: {a: b}
tolerations: [{key: a, operator: Exists, effect: NoSchedule}]
priorityClassName: high
podAnnotations: {a: b}
podLabels: {a: b}
probes: {readiness: {initialDelaySeconds: 1}}
test: {secret: 0123456789abcdef}
global: {x: 1}`,
	"closed, outside Redis": `
externalRedis: {addresses: ['10.0.0.5:6379']}
networkPolicy: {enabled: true, egress: {redis: [{ipBlock: {cidr: 10.0.0.5/32}}], redisPorts: [6379, 26379]}}
podMonitor: {enabled: true}
serviceAccount: {create: false}
httpRoute: {enabled: true, timeout: null, parentRefs: [{name: g}]}
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: k, operator: Exists}]}]}}}
podAntiAffinity: none
topologySpread: {enabled: false}
bootstrap: {existingSecret: channels}
admin: {existingSecret: admin}
resources: {limits: {memory: null}}`,
	"extras": `
redis: {enabled: true, annotations: {a: b}, podAnnotations: {a: b}, podLabels: {a: b}, persistence: {annotations: {a: b}},
  extraVolumes: [{name: x, emptyDir: {}}], extraVolumeMounts: [{name: x, mountPath: /x}], extraIngress: [{ports: [{port: 9121}]}],
  sidecars: [` + sidecar + `], initContainers: [` + sidecar + `]}
commonAnnotations: {team: sms}
deploymentAnnotations: {a: b}
extraVolumes: [{name: x, emptyDir: {}}]
extraVolumeMounts: [{name: x, mountPath: /x}]
sidecars: [` + sidecar + `]
initContainers: [` + sidecar + `]
lifecycle: {preStop: {httpGet: {path: /, port: 9000}}}
drain: {spareSeconds: 15}
extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: as-it-is}, data: {a: "{{ $value }}"}}
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: "{{ .Release.Name }}-template"}
autoscaling: {enabled: true, annotations: {a: b}}
networkPolicy: {enabled: true, annotations: {a: b}}
podDisruptionBudget: {annotations: {a: b}}
podMonitor: {enabled: true, annotations: {a: b}}
prometheusRule: {enabled: true, annotations: {a: b}}
ingress: {enabled: true, hosts: [a], annotations: {a: b}}
httpRoute: {enabled: true, parentRefs: [{name: g}]}
dashboards: {enabled: true}
test: {annotations: {a: b}}
bootstrap: {channels: [{name: acme}]}`,
	"nulls": `
redis: {enabled: true, annotations: null, podAnnotations: null, podLabels: null, extraVolumes: null, sidecars: null, initContainers: null, extraIngress: null, persistence: {annotations: null}}
commonLabels: null
commonAnnotations: null
deploymentAnnotations: null
podAnnotations: null
extraVolumes: null
extraVolumeMounts: null
sidecars: null
initContainers: null
lifecycle: null
extraObjects: null
checksumKey: null
admin: {token: 0123456789abcdef}
test: {annotations: null}
bootstrap: {channels: null}
networkPolicy: {enabled: true, annotations: null, clients: null, internal: null, egress: {redis: null, otlp: null, extra: null}}
prometheusRule: {enabled: true, annotations: null, alerts: null}
podMonitor: {enabled: true, annotations: null}
ingress: {enabled: true, hosts: [a], annotations: null}`,
	"no credentials": "redis: {enabled: true}\nconfig: {QST_AUTH: none}\npodDisruptionBudget: {enabled: false}",
}

// sidecar is a container such as a user's, as strict as the chart's own.
const sidecar = `{name: beside, image: x, securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}}`

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

func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	const redis = "redis: {enabled: true}\n"
	for text, want := range map[string]string{
		"":                                  "Which Redis is to keep the messages?",
		redis + "replica: 3":                "'replica' not allowed",
		redis + "image: {tags: x}":          "'tags' not allowed",
		redis + "config: {QST_MAX_POLL: 1}": "'QST_MAX_POLL' not allowed",
		redis + "config: {QST_REDIS_URL: redis://x}":                                                            "'QST_REDIS_URL' not allowed",
		redis + "config: {QST_AUTH: nobody}":                                                                    "/config/QST_AUTH",
		redis + "config: {QST_MAX_POLLS: 9999999}":                                                              "/config/QST_MAX_POLLS",
		redis + "config: {QST_LONG_POLL_MAX: 50}":                                                               "/config/QST_LONG_POLL_MAX",
		redis + "config: {QST_LONG_POLL_MAX: 50 seconds}":                                                       "/config/QST_LONG_POLL_MAX",
		redis + "otel: {QST_X: a}":                                                                              "'QST_X' not allowed",
		redis + "resources: {limits: {memory: 512MB}}":                                                          "/resources/limits/memory",
		redis + "externalRedis: {url: redis://x}":                                                               "Two Redises",
		"externalRedis: {url: redis://x, existingSecret: x}":                                                    "leave addresses and existingSecret empty",
		"externalRedis: {url: http://x}":                                                                        "/externalRedis/url",
		"externalRedis: {addresses: [redis]}":                                                                   "/externalRedis/addresses/0",
		"externalRedis: {addresses: ['a:1'], password: x, existingSecret: b}":                                   "Two passwords",
		"externalRedis: {existingSecret: x, password: b}":                                                       "goes with addresses",
		"externalRedis: {mode: sentinel, addresses: ['a:1']}":                                                   "masterName is missing",
		"externalRedis: {addresses: ['a:1'], masterName: m}":                                                    "is for externalRedis.mode=sentinel",
		"externalRedis: {mode: cluster, addresses: ['a:1'], database: 1}":                                       "has only 0",
		redis + "admin: {token: a, existingSecret: b}":                                                          "Two tokens",
		redis + "bootstrap: {channels: [{name: a}], existingSecret: b}":                                         "Take one",
		redis + "bootstrap: {channels: [{name: helm-test}]}":                                                    "test.channel",
		redis + "bootstrap: {channels: [{name: a, credentials: [{id: b, endpoint: gateway, secret: short}]}]}":  "/bootstrap/channels/0/credentials/0/secret",
		redis + "bootstrap: {channels: [{name: a, credentials: [{id: b, endpoint: gateways, secret: short}]}]}": "/bootstrap/channels/0/credentials/0/endpoint",
		redis + "serviceMonitor: {enabled: true}\npodMonitor: {enabled: true}":                                  "would both scrape",
		redis + "autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 3}":                                  "is more than",
		redis + "autoscaling: {enabled: true, cpuPercent: null}":                                                "without a signal",
		redis + "autoscaling: {enabled: true}\nresources: {requests: {cpu: null}}":                              "resources.requests.cpu",
		redis + "autoscaling: {keda: {enabled: true}}":                                                          "autoscaling.enabled=true is missing",
		redis + "autoscaling: {enabled: true, pollsPerReplica: 5, keda: {enabled: true}}":                       "prometheusAddress is missing",
		redis + "ingress: {enabled: true}":                                                                      "ingress.hosts is empty",
		redis + "httpRoute: {enabled: true}":                                                                    "httpRoute.parentRefs is empty",
		redis + "strategy: {maxSurge: 0}":                                                                       "can't both be 0",
		redis + "drain: {timeoutSeconds: 20s}":                                                                  "/drain/timeoutSeconds",
		redis + "test: {secret: short}":                                                                         "/test/secret",
		"externalRedis: {url: redis://x}\nnetworkPolicy: {enabled: true}":                                       "egress.redis is empty",
		redis + "networkPolicy: {enabled: true}\notel: {OTEL_TRACES_EXPORTER: otlp}":                            "egress.otlp is empty",
		redis + "networkPolicy: {enabled: true, egress: {dns: null}}":                                           "no name can be looked up",
		redis + "networkPolicy: {egress: {dns: []}}":                                                            "/networkPolicy/egress/dns",
		redis + "bootstrap: {channels: [{name: a, settings: {report_state: true}}]}":                            "'report_state' not allowed",
		redis + "bootstrap: {channels: [{name: a, credentials: [{endpoint: gateway}]}]}":                        "missing properties 'id', 'secret'",
		redis + "prometheusRule: {alerts: {QSTNone: {threshold: 1}}}":                                           "'QSTNone' not allowed",
		redis + "prometheusRule: {alerts: {QSTLosesTouchWithRedis: {threshold: 1}}}":                            "'threshold' not allowed",
		redis + "sidecars: [{image: x}]":                                                                        "/sidecars/0",
		redis + "checksumKey: short":                                                                            "/checksumKey",
		redis + "service: {type: External}":                                                                     "/service/type",
	} {
		for name, helm := range helms {
			t.Run(name+" "+text, func(t *testing.T) {
				t.Parallel()
				_, err := chart.Template(helm, "--values", file(t, text))
				if err == nil {
					t.Fatal("rendered")
				}
				if !strings.Contains(err.Error(), want) {
					t.Errorf("does not say %q: %v", want, err)
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
