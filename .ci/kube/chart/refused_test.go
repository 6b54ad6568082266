package chart_test

import (
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

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
