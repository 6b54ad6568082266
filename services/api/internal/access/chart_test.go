package access

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What the bootstrap file may have, the chart's bootstrap.channels may have, and nothing
// else: its schema would refuse what the service takes, or let through what stops it.
func TestChartTakesWhatTheBootstrapFileMayHave(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../deploy/helm/qst/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]json.RawMessage
		Items      *json.RawMessage
	}
	read := func(text json.RawMessage) (o object) {
		t.Helper()
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		if o.Items != nil {
			if err := json.Unmarshal(*o.Items, &o); err != nil {
				t.Fatal(err)
			}
		}
		return o
	}
	var schema struct {
		Defs struct{ Channel json.RawMessage } `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	channel := read(schema.Defs.Channel)
	for what, c := range map[string]struct {
		chart   object
		service reflect.Type
	}{
		"channel":    {channel, reflect.TypeFor[BootstrapChannel]()},
		"settings":   {read(channel.Properties["settings"]), reflect.TypeFor[Settings]()},
		"credential": {read(channel.Properties["credentials"]), reflect.TypeFor[NewCredential]()},
	} {
		got, want := slices.Sorted(maps.Keys(c.chart.Properties)), yamlNames(c.service)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the chart's schema has %v, the service %v: openapi.yaml, then make generate", what, got, want)
		}
	}
}

// yamlNames returns the names of a struct's fields in YAML, with those of what is inline.
func yamlNames(s reflect.Type) (names []string) {
	for f := range s.Fields() {
		switch name, option, _ := strings.Cut(f.Tag.Get("yaml"), ","); {
		case option == "inline":
			names = append(names, yamlNames(f.Type)...)
		case name != "-":
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
