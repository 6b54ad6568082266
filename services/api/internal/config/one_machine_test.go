package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/queuestatetransfer/qst/services/api/internal/config"
)

func projectFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The environment that docs/one-machine.md tells to write is one that the service takes.
//
//nolint:paralleltest // sets the environment
func TestOneMachineEnvironment(t *testing.T) {
	lines := regexp.MustCompile(`(?m)^ {4}(QST_[A-Z_]+)=(.*)$`).FindAllStringSubmatch(projectFile(t, "docs/one-machine.md"), -1)
	if len(lines) < 4 {
		t.Fatalf("found only %v", lines)
	}
	for _, l := range lines {
		t.Setenv(l[1], l[2])
	}
	if _, err := config.Load(); err != nil {
		t.Error(err)
	}
}

// So is that of compose.yaml; the proxy's network is trusted, and Redis persists.
//
//nolint:paralleltest // sets the environment
func TestComposeFile(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Image           string
			Command         []string
			Environment     map[string]string
			Ports, Volumes  []string
			StopGracePeriod string `yaml:"stop_grace_period"`
		}
		Networks map[string]struct {
			IPAM struct{ Config []struct{ Subnet string } }
		}
	}
	text := projectFile(t, "deploy/one-machine/compose.yaml")
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	given := regexp.MustCompile(`\$\{[A-Z_]+(:[^}]*)?\}`)
	qst, redis := file.Services["qst"], file.Services["redis"]
	for name, value := range qst.Environment {
		t.Setenv(name, given.ReplaceAllString(value, strings.Repeat("x", 32)))
	}
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.Auth != config.AuthChannels || c.AdminToken == "" || c.Embedded() {
		t.Errorf("it lets everybody in, or keeps nothing: %+v", qst.Environment)
	}
	if got := file.Networks["inside"].IPAM.Config[0].Subnet; c.TrustedProxies.String() != got {
		t.Errorf("trusts %s, and the network is %s", c.TrustedProxies, got)
	}
	if want := fmt.Sprintf("%ds", int((c.DrainDelay+c.DrainTimeout).Seconds())+10); qst.StopGracePeriod != want {
		t.Errorf("stop_grace_period %s, want %s", qst.StopGracePeriod, want)
	}
	for _, p := range qst.Ports {
		if !strings.HasPrefix(p, "127.0.0.1:") {
			t.Errorf("the inside is reached from outside: %s", p)
		}
	}
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction", "--requirepass"} {
		if !strings.Contains(strings.Join(redis.Command, " "), want) {
			t.Errorf("Redis has no %s", want)
		}
	}
	if len(redis.Volumes) == 0 || !strings.Contains(projectFile(t, ".ci/servers.Dockerfile"), redis.Image) {
		t.Errorf("Redis keeps nothing, or is none that is tested with: %+v", redis)
	}
}

// The numbers in deploy/one-machine are those that follow from the service's defaults.
func TestOneMachineFilesFollowFromDefaults(t *testing.T) {
	t.Parallel()
	c := config.Default()
	const gzip = 64 << 10 // gzipOverhead of httpapi/receive.go
	request := int((c.LongPollMax + c.RequestTimeout).Seconds()) + 10
	for file, wants := range map[string][]string{
		"nginx.conf": {
			fmt.Sprintf("proxy_read_timeout %ds;", request), fmt.Sprintf("proxy_send_timeout %ds;", request),
			fmt.Sprintf("client_max_body_size %dk;", (int(c.PushMaxBytes)+gzip)>>10), fmt.Sprintf("client_body_timeout %ds;", int(c.RequestTimeout.Seconds())),
		},
		"Caddyfile":   {fmt.Sprintf("response_header_timeout %ds\n", request)},
		"qst.service": {fmt.Sprintf("TimeoutStopSec=%ds\n", int((c.DrainDelay+c.DrainTimeout).Seconds())+10)},
	} {
		text := projectFile(t, "deploy/one-machine/"+file)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q", file, want)
			}
		}
	}
}
