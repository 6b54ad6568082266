package app_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// repository is where the tree begins, from this package.
const repository = "../../../.."

// prometheusProgram returns where Prometheus or its tool is. Without
// QST_TEST_PROMETHEUS, which make test sets, a machine may do without them.
func prometheusProgram(t testing.TB, name string) string {
	t.Helper()
	if dir := os.Getenv("QST_TEST_PROMETHEUS"); dir != "" {
		return filepath.Join(dir, name)
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := filepath.Abs(filepath.Join(repository, "bin/prometheus", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("there is no %s here: .ci/install prometheus", name)
	}
	return path
}

// promtool runs promtool, which must find nothing to say on its error output.
func promtool(t testing.TB, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), prometheusProgram(t, "promtool"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || strings.Contains(complaints.String(), "FAILED") || args[1] == "metrics" && complaints.Len() > 0 {
		t.Errorf("promtool %v: %v\n%s%s", args, err, out, complaints.String())
	}
}

// prometheus is a Prometheus that scrapes replicas every 250 ms and knows the rules.
type prometheus struct{ url string }

func startPrometheus(t testing.TB, replicas ...*replica) *prometheus {
	t.Helper()
	program := prometheusProgram(t, "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(repository, "deploy/helm/qst/rules/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, r := range replicas {
		targets = append(targets, strconv.Quote(strings.TrimPrefix(r.Admin, "http://")))
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
- {job_name: qst, static_configs: [{targets: [%s]}]}
`, rules, strings.Join(targets, ",")), 0o600); err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	for range 5 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		// Somebody else may take it now: then the next one.
		_ = l.Close()
		cmd := exec.Command(program, "--config.file="+config, "--web.listen-address="+addr, //nolint:noctx // the cleanup ends it
			"--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=warn")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); _ = cmd.Wait() }()
		t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
		p, ended := &prometheus{url: "http://" + addr}, false
		eventually(t, "Prometheus starts", func() error {
			select {
			case <-done:
				ended = true
				return nil
			default:
			}
			a, err := try(t.Context(), http.DefaultClient, "GET", p.url+"/-/ready", "")
			if err == nil && a.Status != http.StatusOK {
				err = fmt.Errorf("status %d", a.Status)
			}
			return err
		})
		if !ended {
			return p
		}
	}
	t.Fatalf("Prometheus does not start: %s", &log)
	return nil
}

// query runs an instant query and returns the values of its result.
func (p *prometheus) query(t testing.TB, expr string) []float64 {
	t.Helper()
	var body struct {
		Error string
		Data  struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	a := do(t, "GET", p.url+"/api/v1/query?query="+url.QueryEscape(expr), "")
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusOK {
		t.Fatalf("%s: %s", expr, body.Error)
	}
	var vector []struct{ Value [2]any }
	if body.Data.ResultType != "vector" {
		return nil
	}
	if err := json.Unmarshal(body.Data.Result, &vector); err != nil {
		t.Fatalf("%s: %s", expr, a.Body)
	}
	values := make([]float64, len(vector))
	for i, v := range vector {
		var err error
		if values[i], err = strconv.ParseFloat(fmt.Sprint(v.Value[1]), 64); err != nil {
			t.Fatalf("%s: %s", expr, a.Body)
		}
	}
	return values
}

// value is query for one value.
func (p *prometheus) value(t testing.TB, expr string) (float64, error) {
	t.Helper()
	values := p.query(t, expr)
	if len(values) != 1 {
		return 0, fmt.Errorf("%s: %v", expr, values)
	}
	return values[0], nil
}
