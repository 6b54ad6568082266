package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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

// The numbers in deploy/one-machine are those that follow from the service's defaults.
func TestOneMachineFilesFollowFromDefaults(t *testing.T) {
	t.Parallel()
	c := config.Default()
	const gzip = 64 << 10 // gzipOverhead of httpapi/push.go
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
