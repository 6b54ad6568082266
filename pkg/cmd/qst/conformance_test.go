package main

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lines decodes the JSON lines of a report.
func conformanceLines(t *testing.T, out string) (verdicts map[string]string, summary map[string]float64) {
	t.Helper()
	verdicts = map[string]string{}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines[:len(lines)-1] {
		r := decoded[struct{ Name, Verdict, Holds string }](t, line)
		if r.Name == "" || r.Holds == "" {
			t.Errorf("a result without a name, or without what it holds to: %s", line)
		}
		verdicts[r.Name] = r.Verdict
	}
	return verdicts, decoded[map[string]float64](t, lines[len(lines)-1])
}

func TestConformance(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	dir := t.TempDir()
	r := command(t, "conformance", "--only", "^push/", "--json", filepath.Join(dir, "report.json"), "--junit", filepath.Join(dir, "report.xml"), "http://"+s.Addr).wantOK(t)
	verdicts, summary := conformanceLines(t, r.out)
	if verdicts["push/all or nothing"] != "passed" || summary["failed"] != 0 || int(summary["passed"]) != len(verdicts) || len(verdicts) < 10 {
		t.Errorf("%v %v", verdicts, summary)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Passed  int
		Results []struct{ Name string }
	}
	if err := json.Unmarshal(text, &report); err != nil || report.Passed != len(verdicts) || len(report.Results) != len(verdicts) {
		t.Errorf("the report %.300s: %v", text, err)
	}
	if text, err = os.ReadFile(filepath.Join(dir, "report.xml")); err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests int `xml:"tests,attr"`
		Cases []struct {
			Name string `xml:"name,attr"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(text, &suite); err != nil || suite.Tests != len(verdicts) || len(suite.Cases) != suite.Tests {
		t.Errorf("JUnit's %.300s: %v", text, err)
	}
	person := call{tty: true, env: map[string]string{"NO_COLOR": "1"}}
	if r := person.qst(t, "conformance", "--level", "wiki", "--only", "^(poll|push)/", "http://"+s.Addr).wantOK(t); !strings.Contains(r.out, "0 failed, 0 skipped") || !strings.Contains(r.stderr, " cases, 0 failed") {
		t.Errorf("a person is told %s, and on the way %s", r.out, r.stderr)
	}
}

// A server that asks for credentials, with channels that are made for the cases.
func TestConformanceMakesChannels(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	r := o.qst(t, "conformance", "--make-channels", "--only", "^(credentials|reports|version1/path|order)/", "http://"+o.service.Addr).wantOK(t)
	verdicts, summary := conformanceLines(t, r.out)
	if verdicts["credentials/none"] != "passed" || verdicts["reports/told once"] != "passed" || summary["skipped"] != 0 {
		t.Errorf("%v %v", verdicts, summary)
	}
	if r := o.admin(t, "channels list").wantOK(t); strings.TrimSpace(r.out) != "" {
		t.Errorf("channels are left: %s", r.out)
	}
}

// What is wrong is told, and ends with 5.
func TestConformanceFails(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	r := call{tty: true, env: map[string]string{"NO_COLOR": "1"}}.qst(t, "conformance", "--only", "^push/200$", s.URL)
	if r.code != exitFindings {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{"FAILED   push/200 (wiki)", "holds to: The server must return a HTTP status 200", "404", "> POST /v2/channels/", "1 failed"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the report does not say %q:\n%s", want, r.out)
		}
	}
}

func TestConformanceUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "which server"},
		{"qst.example.org", exitUsage, "does not start with http"},
		{"http://localhost:1/v2/channels/acme", exitUsage, "the URL of a channel"},
		{"--level none http://localhost:1", exitUsage, "not one of wiki, contract"},
		{"--only ( http://localhost:1", exitUsage, "--only"},
		{"--only nothing-is-called-so http://localhost:1", exitUsage, "no case"},
		{"--parallel 0 http://localhost:1", exitUsage, "not above 0"},
		{"--limit push-bytes=x http://localhost:1", exitUsage, "push-bytes=x"},
		{"--limit pushes=1 http://localhost:1", exitUsage, "not push-bytes"},
		{"--make-channels --user x http://localhost:1", exitUsage, "one of the two"},
		{"http://localhost:1", exitFailed, "can't be reached"},
		{"client", exitUsage, "which program"},
		{"client --level once --only ^push/ true", exitUsage, "no case"},
	} {
		r := command(t, append([]string{"conformance"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%s: %d %s, want %d that says %q", c.args, r.code, r.stderr, c.code, c.says)
		}
	}
	r := command(t, "conformance", "--only", "^limits/queue/", "http://"+service.Start(t, "embedded").Addr)
	if r.code != exitUsage || !strings.Contains(r.stderr, "no case could run: it needs to be told the limit queue-messages") {
		t.Errorf("%d %s", r.code, r.stderr)
	}
}

func TestConformanceList(t *testing.T) {
	t.Parallel()
	r := command(t, "conformance", "--list", "--level", "contract").wantOK(t)
	l := strings.Split(strings.TrimSpace(r.out), "\n")
	first := decoded[listedCase](t, l[0])
	if len(l) < 400 || first.Name == "" || first.Holds == "" || first.Level != "contract" {
		t.Errorf("%d cases, the first is %+v", len(l), first)
	}
	r = command(t, "conformance", "client", "--list", "-o", "text").wantOK(t)
	if n := strings.Count(r.out, "\n"); n < 60 || !strings.Contains(r.out, "once      pull/") {
		t.Errorf("%d cases for clients: %.300s", n, r.out)
	}
}

// qst itself is a client: with it, a few lines of shell pass.
func TestConformanceOfQst(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "client.sh")
	text := `[ -z "$TASK_FAIL" ] || exit 64
case $1 in
push) exec ` + program + ` push --input json ;;
pull) exec ` + program + ` pull --follow --output json --max "$TASK_MAX" --state "$TASK_STATE" ;;
esac
`
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	r := command(t, "conformance", "client", "--parallel", "4", "--patience", "2m", "sh", script)
	verdicts, summary := conformanceLines(t, r.out)
	for name, v := range verdicts {
		if v == "failed" {
			t.Errorf("%s failed", name)
		}
	}
	if r.code != exitOK || summary["passed"] < 60 {
		t.Errorf("exit code %d, %v: %s\n%.3000s", r.code, summary, r.stderr, r.out)
	}
}
