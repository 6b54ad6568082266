{{/* The name of the chart's objects: the release's, with the chart's if that is not in it. */}}
{{- define "qst.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component: list . "api" */}}
{{- define "qst.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ default $.Chart.Name $.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $.Release.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of an object of a component. */}}
{{- define "qst.labels" -}}
{{- $ := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name ($.Chart.Version | replace "+" "_") | trunc 63 }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
app.kubernetes.io/part-of: qst
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
{{ include "qst.selector" . }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
An object's metadata, below "metadata:". Takes a dict: root, name, component, and what is
only this object's, labels and annotations. commonAnnotations are beside those.
*/}}
{{- define "qst.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "qst.labels" (list .root .component) | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The labels of a component's pods: nothing that changes with the chart, which would restart them. */}}
{{- define "qst.podLabels" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/part-of: qst
{{ include "qst.selector" . }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "qst.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "qst.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image's whole name: list image defaultTag. A tag may have a digest after it. */}}
{{- define "qst.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (index . 1) $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* A value as text; Helm reads large numbers as floats, which would print as 1e+06. */}}
{{- define "qst.text" -}}
{{- if kindIs "float64" . -}}{{ . | int64 }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* A quantity of memory such as 512Mi, in bytes. */}}
{{- define "qst.bytes" -}}
{{- $text := include "qst.text" . -}}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?([KMGT]i|[kMGT])?$" $text) -}}
{{- fail (printf "a memory limit of %q: write it like 512Mi or 1Gi" $text) -}}
{{- end -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit) | int64 -}}
{{- end -}}

{{/* A size as the service's variables have it, such as 1MiB, in bytes. */}}
{{- define "qst.size" -}}
{{- $text := include "qst.text" . -}}
{{- $units := dict "" 1 "kb" 1e3 "mb" 1e6 "gb" 1e9 "kib" 1024 "mib" 1048576 "gib" 1073741824 -}}
{{- mulf (regexFind "^[0-9]+" $text | float64) (get $units (regexFind "[A-Za-z]*$" $text | lower)) | int64 -}}
{{- end -}}

{{/*
The largest body that the service reads, in bytes: a batch, and what gzip may add to it
(gzipOverhead in services/api/internal/httpapi/receive.go).
*/}}
{{- define "qst.requestBytes" -}}
{{- add (include "qst.size" (default "1MiB" .Values.config.QST_PUSH_MAX_BYTES)) 65536 -}}
{{- end -}}

{{/* A Go duration such as 1m30s, in seconds, rounded up. */}}
{{- define "qst.seconds" -}}
{{- $units := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9]+([.][0-9]+)?(ms|h|m|s)" . -1 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $seconds = addf $seconds (mulf (trimSuffix $unit . | float64) (get $units $unit)) -}}
{{- end -}}
{{- ceil $seconds | int64 -}}
{{- end -}}

{{/* The longest that a request takes: a poll is held, its answer is written, and a little more. */}}
{{- define "qst.requestSeconds" -}}
{{- $poll := include "qst.seconds" (default "50s" .Values.config.QST_LONG_POLL_MAX) -}}
{{- $rest := include "qst.seconds" (default "30s" .Values.config.QST_REQUEST_TIMEOUT) -}}
{{- add $poll $rest 10 -}}
{{- end -}}

{{/* The fewest replicas that there are to be. */}}
{{- define "qst.minReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{/*
Who says how many replicas there are: {"replicas": n} or {}, and "autoscaled", which is
noted at the Deployment. An autoscaler's Deployment has no replicas. But to take them out of
one that had them would make them Kubernetes's default, 1, until the autoscaler notices:
such a Deployment keeps those that it has.
*/}}
{{- define "qst.replicas" -}}
{{- if not .Values.autoscaling.enabled -}}
{{- dict "replicas" .Values.replicas | toJson -}}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "qst.fullname" .) | default dict -}}
{{- $noted := dig "metadata" "annotations" "qst/autoscaled" "" $live -}}
{{- if or (not $live) (eq $noted "from-the-start") -}}
{{- dict "autoscaled" "from-the-start" | toJson -}}
{{- else -}}
{{- dict "autoscaled" "later" "replicas" (dig "spec" "replicas" .Values.replicas $live) | toJson -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether credentials are asked for: "true" or nothing. */}}
{{- define "qst.auth" -}}
{{- if ne (default "channels" .Values.config.QST_AUTH) "none" -}}true{{- end -}}
{{- end -}}

{{/* Whether there is a channel for the test, with a credential: "true" or nothing. */}}
{{- define "qst.testChannel" -}}
{{- if and .Values.test.enabled (include "qst.auth" .) (not .Values.bootstrap.existingSecret) -}}true{{- end -}}
{{- end -}}

{{/* The Secret and key of the bootstrap file: {"name": …, "key": …}, or {}. */}}
{{- define "qst.bootstrap" -}}
{{- if .Values.bootstrap.existingSecret -}}
{{- dict "name" .Values.bootstrap.existingSecret "key" .Values.bootstrap.existingSecretKey | toJson -}}
{{- else if or .Values.bootstrap.channels (include "qst.testChannel" .) -}}
{{- dict "name" (printf "%s-bootstrap" (include "qst.fullname" .)) "key" "bootstrap.yaml" | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* The secrets in the values that the pods read at their start, as JSON; nothing if there is none. */}}
{{- define "qst.secrets" -}}
{{- $x := .Values.externalRedis -}}
{{- $test := ternary .Values.test.secret "" (ne (include "qst.testChannel" .) "") -}}
{{- $redis := ternary .Values.redis.auth.password "" .Values.redis.enabled -}}
{{- if or $x.url $x.password .Values.admin.token .Values.bootstrap.channels $test $redis -}}
{{- list $x.url $x.password .Values.admin.token .Values.bootstrap.channels $test $redis | toJson -}}
{{- end -}}
{{- end -}}

{{/*
The key of qst.checksum. It is kept in a Secret; where there is none yet, it is made
here, once for all templates: they share .Values.
*/}}
{{- define "qst.checksumKey" -}}
{{- if not .Values.checksumKey -}}
{{- $kept := lookup "v1" "Secret" .Release.Namespace (printf "%s-checksum" (include "qst.fullname" .)) | default dict -}}
{{- $_ := set .Values "checksumKey" (dig "data" "key" "" $kept | b64dec | default (randAlphaNum 32)) -}}
{{- end -}}
{{- .Values.checksumKey -}}
{{- end -}}

{{/*
A checksum of secrets, list . text, with a key: who may read pods, and not Secrets, can
try no guess at a secret with it.
*/}}
{{- define "qst.checksum" -}}
{{- $key := include "qst.checksumKey" (index . 0) -}}
{{- printf "%s%s" $key (printf "%s%s" $key (index . 1) | sha256sum) | sha256sum -}}
{{- end -}}

{{/* The variables that tell the service of Redis. REDIS_PASSWORD is put into the URL by the kubelet. */}}
{{- define "qst.redisEnv" -}}
{{- $x := .Values.externalRedis -}}
{{- $secret := "" -}}{{- $key := "" -}}{{- $url := "" -}}
{{- if .Values.redis.enabled -}}
  {{- $host := printf "%s-redis:6379" (include "qst.fullname" .) -}}
  {{- if .Values.redis.auth.enabled -}}
    {{- $secret = default (printf "%s-redis" (include "qst.fullname" .)) .Values.redis.auth.existingSecret -}}
    {{- $key = ternary .Values.redis.auth.existingSecretKey "redis-password" (ne .Values.redis.auth.existingSecret "") -}}
    {{- $url = printf "redis://:$(REDIS_PASSWORD)@%s/0" $host -}}
  {{- else -}}
    {{- $url = printf "redis://%s/0" $host -}}
  {{- end -}}
{{- else if and $x.addresses $x.existingSecret -}}
  {{- $secret = $x.existingSecret -}}{{- $key = $x.existingSecretPasswordKey -}}
  {{- $url = include "qst.redisURL" (list . "$(REDIS_PASSWORD)") -}}
{{- end -}}
{{- if $secret }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $key }}}}
{{- end }}
- name: QST_REDIS_URL
{{- if $url }}
  value: {{ $url | quote }}
{{- else if $x.existingSecret }}
  valueFrom: {secretKeyRef: {name: {{ $x.existingSecret }}, key: {{ $x.existingSecretUrlKey }}}}
{{- else }}
  valueFrom: {secretKeyRef: {name: {{ include "qst.fullname" . }}, key: redis-url}}
{{- end }}
{{- end -}}

{{/*
The URL made of externalRedis's parts: list . password, escaped already. With Sentinel
the user before the @ would be the Sentinels' own; that of Redis is in the query.
*/}}
{{- define "qst.redisURL" -}}
{{- $ := index . 0 -}}{{- $password := index . 1 -}}{{- $x := $.Values.externalRedis -}}
{{- $user := $x.username | urlquery | replace "+" "%20" -}}
{{- $query := list -}}
{{- range rest $x.addresses -}}{{- $query = append $query (printf "addr=%s" .) -}}{{- end -}}
{{- $login := "" -}}
{{- if eq $x.mode "sentinel" -}}
  {{- $query = append $query (printf "master_name=%s" (urlquery $x.masterName)) -}}
  {{- if $user -}}{{- $query = append $query (printf "username=%s" $user) -}}{{- end -}}
  {{- if $password -}}{{- $query = append $query (printf "password=%s" $password) -}}{{- end -}}
{{- else if or $user $password -}}
  {{- $login = printf "%s:%s@" $user $password -}}
{{- end -}}
{{- $path := ternary "" (printf "/%d" (int $x.database)) (eq $x.mode "cluster") -}}
{{- $scheme := ternary "rediss" "redis" $x.tls.enabled -}}
{{- printf "%s://%s%s%s" $scheme $login (first $x.addresses) $path -}}
{{- if $query -}}?{{- join "&" $query -}}{{- end -}}
{{- end -}}

{{/* What a schema can't tell of the values. */}}
{{- define "qst.check" -}}
{{- $x := .Values.externalRedis -}}
{{- $external := or $x.url $x.addresses $x.existingSecret -}}
{{- if and .Values.redis.enabled $external -}}
{{- fail "\n\nTwo Redises: redis.enabled is for the chart's own, and externalRedis names another. Take one." -}}
{{- end -}}
{{- if not (or .Values.redis.enabled $external) -}}
{{- fail "\n\nWhich Redis is to keep the messages? Set one of:\n  externalRedis.url, .existingSecret or .addresses    a Redis of yours (recommended)\n  redis.enabled=true                                  a small one that comes with the chart" -}}
{{- end -}}
{{- if and $x.url (or $x.addresses $x.existingSecret) -}}
{{- fail "\n\nexternalRedis.url is the whole URL: leave addresses and existingSecret empty, or url." -}}
{{- end -}}
{{- if and $x.password (not $x.addresses) -}}
{{- fail "\n\nexternalRedis.password goes with addresses; in a whole URL it stands in the URL." -}}
{{- end -}}
{{- if and $x.password $x.existingSecret -}}
{{- fail "\n\nTwo passwords: externalRedis.password, and that in externalRedis.existingSecret. Take one." -}}
{{- end -}}
{{- if and (eq $x.mode "sentinel") $x.addresses (not $x.masterName) -}}
{{- fail "\n\nexternalRedis.masterName is missing: what do the Sentinels call the master?" -}}
{{- end -}}
{{- if and $x.masterName (ne $x.mode "sentinel") -}}
{{- fail "\n\nexternalRedis.masterName is for externalRedis.mode=sentinel." -}}
{{- end -}}
{{- if and (eq $x.mode "cluster") (ne (int $x.database) 0) -}}
{{- fail "\n\nexternalRedis.database: a Redis Cluster has only 0." -}}
{{- end -}}
{{- if and .Values.admin.token .Values.admin.existingSecret -}}
{{- fail "\n\nTwo tokens: admin.token, and that in admin.existingSecret. Take one." -}}
{{- end -}}
{{- if and .Values.bootstrap.channels .Values.bootstrap.existingSecret -}}
{{- fail "\n\nbootstrap.channels and bootstrap.existingSecret are both the bootstrap file. Take one." -}}
{{- end -}}
{{- range .Values.bootstrap.channels -}}
{{- if and (eq .name $.Values.test.channel) (include "qst.testChannel" $) -}}
{{- fail (printf "\n\nbootstrap.channels has the channel of the test, %s: set test.channel to another name, or test.enabled=false." .name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "\n\nserviceMonitor and podMonitor would both scrape every replica. Take one." -}}
{{- end -}}
{{- $a := .Values.autoscaling -}}
{{- if gt (int $a.minReplicas) (int $a.maxReplicas) -}}
{{- fail "\n\nautoscaling.minReplicas is more than autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and $a.keda.enabled (not $a.enabled) -}}
{{- fail "\n\nautoscaling.keda.enabled says how to scale; autoscaling.enabled=true is missing." -}}
{{- end -}}
{{- if and $a.keda.enabled (or $a.pollsPerReplica $a.requestsPerReplica) (not $a.keda.prometheusAddress) -}}
{{- fail "\n\nautoscaling.keda.prometheusAddress is missing: KEDA asks Prometheus for polls and requests." -}}
{{- end -}}
{{- if and $a.enabled (not $a.cpuPercent) (not $a.pollsPerReplica) (not $a.requestsPerReplica) (not $a.extraMetrics) (not $a.keda.extraTriggers) -}}
{{- fail "\n\nautoscaling without a signal: set autoscaling.cpuPercent, pollsPerReplica or requestsPerReplica." -}}
{{- end -}}
{{- if and $a.enabled $a.cpuPercent (not (dig "requests" "cpu" "" .Values.resources)) -}}
{{- fail "\n\nautoscaling.cpuPercent is a percentage of resources.requests.cpu, which is not set." -}}
{{- end -}}
{{- if and .Values.webhooks.enabled (not (include "qst.auth" .)) -}}
{{- fail "\n\nwebhooks.enabled with config.QST_AUTH=none: webhooks are part of what operators say of channels, of which QST_AUTH=none takes no notice." -}}
{{- end -}}
{{- $wa := .Values.webhooks.autoscaling -}}
{{- if gt (int $wa.minReplicas) (int $wa.maxReplicas) -}}
{{- fail "\n\nwebhooks.autoscaling.minReplicas is more than webhooks.autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and $wa.enabled (not (dig "requests" "cpu" "" .Values.webhooks.resources)) -}}
{{- fail "\n\nwebhooks.autoscaling.cpuPercent is a percentage of webhooks.resources.requests.cpu, which is not set." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "\n\ningress.hosts is empty: which names is the Ingress for?" -}}
{{- end -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- if and .Values.networkPolicy.enabled $egress.enabled -}}
{{- if not (and $egress.dns $egress.dnsPorts) -}}
{{- fail "\n\nnetworkPolicy.egress.dns and .dnsPorts: without them no name can be looked up." -}}
{{- end -}}
{{- if and $external (not $egress.redis) -}}
{{- fail "\n\nnetworkPolicy.egress.redis is empty: where is Redis? For example\n  networkPolicy.egress.redis=[{ipBlock: {cidr: 10.0.0.0/8}}]" -}}
{{- end -}}
{{- if and .Values.otel (not $egress.otlp) -}}
{{- fail "\n\nnetworkPolicy.egress.otlp is empty: where is the collector that otel names? For example\n  networkPolicy.egress.otlp=[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "\n\nhttpRoute.parentRefs is empty: which Gateway is the route for?" -}}
{{- end -}}
{{- if and (eq (toString .Values.strategy.maxSurge) "0") (eq (toString .Values.strategy.maxUnavailable) "0") -}}
{{- fail "\n\nstrategy: maxSurge and maxUnavailable can't both be 0." -}}
{{- end -}}
{{- end -}}
