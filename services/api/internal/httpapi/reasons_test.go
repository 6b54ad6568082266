package httpapi

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each reason is in the table of docs/operations.md, with its status, and none is
// there that isn't given.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n#### Reasons\n")
	section, _, _ = strings.Cut(section, "\n#")
	documented := map[string][]string{} // reason → statuses
	name, status := regexp.MustCompile("`([a-z_]+)`"), regexp.MustCompile(`\b\d{3}\b`)
	for row := range strings.Lines(section) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			continue
		}
		names, statuses := name.FindAllStringSubmatch(cells[1], -1), status.FindAllString(cells[2], -1)
		for i, n := range names {
			documented[n[1]] = statuses
			if len(names) > 1 && len(names) == len(statuses) { // each has its own
				documented[n[1]] = statuses[i : i+1]
			}
		}
	}
	given := reasons()
	for _, row := range table {
		given[row.reason] = true
		if !slices.Contains(documented[row.reason], strconv.Itoa(row.status)) {
			t.Errorf("%v is answered %d %s: docs/operations.md has %q", row.err, row.status, row.reason, documented[row.reason])
		}
	}
	for reason := range given {
		if documented[reason] == nil {
			t.Errorf("docs/operations.md lacks the reason %s", reason)
		}
	}
	for reason := range documented {
		if !given[reason] {
			t.Errorf("docs/operations.md has the reason %s, which is never given", reason)
		}
	}
}

// The alerts ask for reasons that there are, and there is none that no alert asks for.
func TestReasonsHaveAlerts(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../../../../deploy/helm/qst/rules/qst.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, m := range regexp.MustCompile(`\breason=~?"([^"]*)"`).FindAllStringSubmatch(string(rules), -1) {
		for reason := range strings.SplitSeq(m[1], "|") {
			asked[reason] = true
			if !reasons()[reason] {
				t.Errorf("%s: no push or pull is refused for %q", m[0], reason)
			}
		}
	}
	for reason := range reasons() {
		if !asked[reason] {
			t.Errorf("no alert asks for the reason %s", reason)
		}
	}
}
