package chart_test

import (
	"strings"
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
webhooks: {enabled: true}
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
webhooks: {enabled: true, receivers: {to: [{ipBlock: {cidr: 10.1.0.0/16}}], ports: [443, 8443]}}
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
