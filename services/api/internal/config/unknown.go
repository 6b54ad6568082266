package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// unknown has an error for each variable of the environment that is named like
// ours but is none of ours. Their values are not shown: one may be a password
// under a wrong name.
func unknown(environ []string) []error {
	var names []string
	for _, v := range Variables() {
		names = append(names, v.Name)
		if v.Secret {
			names = append(names, v.Name+fileSuffix)
		}
	}
	slices.Sort(environ)
	var problems []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix+"_") || slices.Contains(names, name) || notOurs(name, value) {
			continue
		}
		hint := "docs/configuration.md has them all"
		if near := nearest(name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		problems = append(problems, fmt.Errorf("%s is not a variable of this service: %s", name, hint))
	}
	return problems
}

// testPrefix starts the variables of the tests, such as QST_TEST_REDIS_SERVER:
// the services that they start inherit them.
const testPrefix = prefix + "_TEST_"

// kubernetes matches what Kubernetes (and Docker's links) put into every
// container about a Service called qst or qst-something, NAME=value:
//
//	QST_SERVICE_HOST=10.0.0.1
//	QST_SERVICE_PORT=8080           QST_SERVICE_PORT_HTTP=8080
//	QST_PORT=tcp://10.0.0.1:8080    QST_PORT_8080_TCP=tcp://10.0.0.1:8080
//	QST_PORT_8080_TCP_PROTO=tcp     … _PORT=8080, … _ADDR=10.0.0.1
//
// The values count too: someone who sets QST_PORT=8080 means us, and should hear
// that this is not how it is called.
var kubernetes = regexp.MustCompile(`^QST(_[A-Z0-9_]+)?_(` +
	`SERVICE_HOST=[0-9a-fA-F.:]+|` +
	`SERVICE_PORT(_[A-Z0-9_]+)?=[0-9]+|` +
	`PORT(_[0-9]+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*|` +
	`PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO=(tcp|udp|sctp)|PORT=[0-9]+|ADDR=[0-9a-fA-F.:]+)` +
	`)$`)

func notOurs(name, value string) bool {
	return strings.HasPrefix(name, testPrefix) || kubernetes.MatchString(name+"="+value)
}

// nearest returns the known name that takes the fewest changes to get to, or ""
// if that would be more than every third letter.
func nearest(name string, known []string) string {
	best, fewest := "", (len(name)-len(prefix))/3+1
	for _, k := range known {
		if d := distance(name, k); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two ASCII texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
