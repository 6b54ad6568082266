package chart_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

// cluster is as much of Kubernetes' API as Helm asks to look up objects: the kinds of what
// may be there, and those objects that the templates look for.
func cluster(t *testing.T, objects, kinds []chart.Object) string {
	t.Helper()
	answers := map[string]any{"/version": map[string]any{"major": "1", "minor": "37", "gitVersion": "v" + chart.Newest}}
	var groups []any
	resources := map[string][]any{} // by group and version
	for _, o := range append(slices.Clone(objects), kinds...) {
		at, path := o.Text("apiVersion"), "/apis/"
		group, version, named := strings.Cut(at, "/")
		if !named {
			group, version, path = "", at, "/api/"
		}
		if resources[at] == nil && named {
			v := map[string]any{"groupVersion": at, "version": version}
			groups = append(groups, map[string]any{"name": group, "versions": []any{v}, "preferredVersion": v})
		}
		name := strings.TrimSuffix(strings.ToLower(o.Kind()), "y") + "s"
		if strings.HasSuffix(o.Kind(), "y") {
			name = strings.TrimSuffix(name, "s") + "ies"
		}
		resources[at] = append(resources[at], map[string]any{"name": name, "singularName": "", "namespaced": true, "kind": o.Kind(), "verbs": []string{"get", "list"}})
		answers[path+at] = map[string]any{"kind": "APIResourceList", "groupVersion": at, "resources": resources[at]}
	}
	answers["/api"] = map[string]any{"kind": "APIVersions", "versions": []string{"v1"}}
	answers["/apis"] = map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
	for _, o := range objects {
		switch o.Kind() {
		case "Secret":
			// As the API server keeps it.
			data := map[string]any{}
			for name, text := range o.Get("stringData").(map[string]any) {
				data[name] = base64.StdEncoding.EncodeToString([]byte(text.(string)))
			}
			answers["/api/v1/namespaces/default/secrets/"+o.Name()] = map[string]any{
				"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": o.Name(), "namespace": "default"}, "data": data,
			}
		case "Deployment":
			answers["/apis/apps/v1/namespaces/default/deployments/"+o.Name()] = o
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": http.StatusNotFound}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What an installation made, an upgrade keeps: the secrets, the key of their checksum, and
// so the pods as they are. A changed secret rolls them.
func TestUpgradeKeepsWhatWasMade(t *testing.T) {
	t.Parallel()
	const values = "redis: {enabled: true}\nadmin: {token: 0123456789abcdef}\n"
	for name, helm := range helms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			installed := render(t, helm, values)
			server := cluster(t, installed, render(t, helm, values+"autoscaling: {enabled: true}"))
			config := file(t, "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: '"+server+"'}}]")
			upgrade := func(text string) []chart.Object {
				objects, err := chart.Template(helm, "--values", file(t, text), "--dry-run=server", "--is-upgrade", "--disable-openapi-validation", "--kubeconfig", config)
				if err != nil {
					t.Fatal(err)
				}
				return objects
			}
			same := upgrade(values)
			for _, id := range []string{"Secret/qst-checksum", "Secret/qst-redis", "Secret/qst-test", "Secret/qst-bootstrap", "Deployment/qst", "StatefulSet/qst-redis"} {
				if got, want := text(t, find(t, same, id)), text(t, find(t, installed, id)); got != want {
					t.Errorf("%s: an upgrade with the same values makes\n%s\nof\n%s", id, got, want)
				}
			}
			sum := func(objects []chart.Object) string {
				return find(t, objects, "Deployment/qst").Text("spec", "template", "metadata", "annotations", "checksum/secrets")
			}
			other := upgrade(strings.Replace(values, "0123456789abcdef", "fedcba9876543210", 1))
			if sum(other) == sum(installed) || sum(other) == "" {
				t.Errorf("another token, and the checksum is %q as before", sum(other))
			}
			// An autoscaler that comes later finds as many replicas as there are.
			if got := find(t, upgrade(values+"autoscaling: {enabled: true}\n"), "Deployment/qst").Get("spec", "replicas"); got != 2 {
				t.Errorf("replicas %v when autoscaling is turned on", got)
			}
		})
	}
}
