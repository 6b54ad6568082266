package chart_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v3"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

// Pods notice a changed secret, and say nothing by which somebody could try guesses: the
// checksum is of no use without a key, which is in a Secret.
func TestChecksumOfSecretsHasAKey(t *testing.T) {
	t.Parallel()
	const secret = "redis: {enabled: true, auth: {password: weak}}\nadmin: {token: weak}\n"
	sums := func(text string) (api, redis, key string) {
		objects := render(t, chart.Helm4, text)
		at := []string{"spec", "template", "metadata", "annotations", "checksum/secrets"}
		for _, o := range objects {
			if o.ID() == "Secret/qst-checksum" {
				key = o.Text("stringData", "key")
			}
		}
		return find(t, objects, "Deployment/qst").Text(at...), find(t, objects, "StatefulSet/qst-redis").Text(at...), key
	}
	api, redis, key := sums(secret)
	again, redisAgain, other := sums(secret)
	if len(key) != 32 || key == other || api == again || redis == redisAgain || api == "" || redis == "" {
		t.Errorf("without a key: %s, %s, by %s; then %s, %s, by %s", api, redis, key, again, redisAgain, other)
	}
	inner := sha256.Sum256([]byte(key + "weak"))
	if want := sha256.Sum256([]byte(key + hex.EncodeToString(inner[:]))); redis != hex.EncodeToString(want[:]) {
		t.Errorf("Redis's checksum %s is not made with the key %s", redis, key)
	}
	const given = "checksumKey: a-key-that-is-long-enough\n"
	api, redis, _ = sums(secret + given)
	if again, redisAgain, key = sums(secret + given); api != again || redis != redisAgain || key != "a-key-that-is-long-enough" {
		t.Error("with the same key and secrets, another checksum")
	}
	if api, redis, _ := sums("redis: {enabled: true, auth: {password: strong}}\nadmin: {token: weak}\n" + given); api == again || redis == redisAgain {
		t.Error("with another password, the same checksum")
	}
	if api, redis, key := sums("redis: {enabled: true}\nadmin: {existingSecret: a}"); api+redis+key != "" {
		t.Errorf("no secret in values: %q %q %q", api, redis, key)
	}
}

// With the policies on, nothing goes anywhere, nor comes to the inside, but to and from
// where the values say; and none of the chart's pods is left out.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, what := range []string{"everything", "closed, outside Redis", "extras"} {
		objects := render(t, chart.Helm4, values[what])
		for _, o := range objects {
			if o.Kind() != "NetworkPolicy" {
				continue
			}
			spec := as[networkingv1.NetworkPolicySpec](t, o.Get("spec"))
			covered[spec.PodSelector.MatchLabels["app.kubernetes.io/component"]] = true
			if len(spec.PolicyTypes) != 2 {
				t.Errorf("%s: %s is for %v only", what, o.ID(), spec.PolicyTypes)
			}
			for _, rule := range spec.Egress {
				mine := len(rule.Ports) == 1 && rule.Ports[0].Port.IntValue() == 443 // egress.extra
				if len(rule.To) == 0 && !mine {
					t.Errorf("%s: %s lets %v go anywhere", what, o.ID(), rule.Ports)
				}
			}
			for _, rule := range spec.Ingress {
				if port := rule.Ports[0].Port.String(); len(rule.From) == 0 && port != "http" && port != "9121" {
					t.Errorf("%s: %s lets everybody come to %s", what, o.ID(), port)
				}
				if rule.Ports[0].Port.String() == "internal" && what != "everything" {
					t.Errorf("%s: %s opens the inside, to %v", what, o.ID(), rule.From)
				}
			}
		}
	}
	for _, component := range []string{"api", "redis", "test", "webhooks"} {
		if !covered[component] {
			t.Errorf("no policy for %s", component)
		}
	}
}

// Where egress is somebody else's matter, no policy of the service's processes speaks of it.
func TestNetworkPoliciesWithoutEgress(t *testing.T) {
	t.Parallel()
	found := 0
	for _, o := range render(t, chart.Helm4, "redis: {enabled: true}\nwebhooks: {enabled: true}\nnetworkPolicy: {enabled: true, egress: {enabled: false}}") {
		component := o.Text("metadata", "labels", "app.kubernetes.io/component")
		if o.Kind() != "NetworkPolicy" || component != "api" && component != "webhooks" {
			continue
		}
		found++
		spec := as[networkingv1.NetworkPolicySpec](t, o.Get("spec"))
		if len(spec.PolicyTypes) != 1 || spec.PolicyTypes[0] != networkingv1.PolicyTypeIngress || len(spec.Egress) > 0 {
			t.Errorf("%s is for %v: %v", o.ID(), spec.PolicyTypes, spec.Egress)
		}
	}
	if found != 2 {
		t.Errorf("%d policies, want 2", found)
	}
}

// The chart's Redis is a digest, of the very server that the tests run on.
func TestRedisImageIsTheTestedOne(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chart.Root, ".ci", "servers.Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	tested := regexp.MustCompile(`(?m)^FROM (\S+@sha256:[0-9a-f]{64}) AS redis-7.4$`).FindStringSubmatch(string(text))
	if tested == nil {
		t.Fatal(".ci/servers.Dockerfile has no redis-7.4 with a digest")
	}
	template := find(t, render(t, chart.Helm4, values["own Redis"]), "StatefulSet/qst-redis")
	containers, _ := template.Get("spec", "template", "spec", "containers").([]any)
	if got := containers[0].(map[string]any)["image"]; got != tested[1] {
		t.Errorf("redis.image.tag in values.yaml: %s, and .ci/servers.Dockerfile has %s", got, tested[1])
	}
}

// A release's chart and manifests ask for the image that the release pushes, which has
// the release's name. (.ci/release holds together what it builds.)
func TestImageIsTheReleases(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chart.Chart, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var about struct{ Version, AppVersion string }
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	about.Version, _ = fields["version"].(string)
	about.AppVersion, _ = fields["appVersion"].(string)
	if about.AppVersion != "v"+about.Version {
		t.Errorf("Chart.yaml: version %s, appVersion %s: the image's tag is v%s", about.Version, about.AppVersion, about.Version)
	}
	release, err := os.ReadFile(filepath.Join(chart.Root, ".ci", "release"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`"$crane" push "$layout" "$image:$version"`, `--app-version "$version"`, "\tchart_asks_for_image\n"} {
		if !regexp.MustCompile(regexp.QuoteMeta(line)).Match(release) {
			t.Errorf(".ci/release has no %s", line)
		}
	}
	built, err := chart.Kustomize(filepath.Join(chart.Manifests, "base"))
	if err != nil {
		t.Fatal(err)
	}
	if got := api0(t, built, "qst").Spec.Containers[0].Image; got != "ghcr.io/queuestatetransfer/qst:v"+about.Version {
		t.Errorf("deploy/k8s asks for %s", got)
	}
}
