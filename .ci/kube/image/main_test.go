package main

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func context(t *testing.T) build {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"ca-certificates.crt": 0o600, "LICENSE": 0o644, "THIRD_PARTY_NOTICES.txt": 0o644,
		"linux-amd64/api": 0o755, "linux-amd64/qst": 0o755, "linux-arm64/api": 0o755, "linux-arm64/qst": 0o755,
		"soak": 0o755, "k6": 0o755, "lib/qst.js": 0o755, "scenarios/smoke.js": 0o755, "data/more/sms.txt": 0o755,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return build{context: dir, created: time.Unix(1, 0).UTC(), args: map[string]string{"VERSION": "v1.2.3", "COMMIT": "abc", "DATE": "1970-01-01T00:00:01Z"}}
}

func dockerfile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheServicesImage(t *testing.T) {
	t.Parallel()
	b := context(t)
	text := dockerfile(t, "services/api/Dockerfile")
	image, err := b.image(text, v1.Platform{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || config.OS != "linux" || config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/api"}) {
		t.Errorf("%+v", config)
	}
	if got := slices.Sorted(maps.Keys(config.Config.ExposedPorts)); !slices.Equal(got, []string{"8080/tcp", "9090/tcp"}) {
		t.Errorf("ports %v", got)
	}
	for label, want := range map[string]string{"title": "QST", "version": "v1.2.3", "revision": "abc", "created": "1970-01-01T00:00:01Z", "licenses": "MIT"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s=%q, want %q", label, got, want)
		}
	}
	if got, want := files(t, image), []string{"LICENSE=LICENSE", "THIRD_PARTY_NOTICES.txt=THIRD_PARTY_NOTICES.txt", "api=linux-arm64/api", "etc/ssl/certs/ca-certificates.crt=ca-certificates.crt", "qst=linux-arm64/qst"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	again, err := b.image(text, v1.Platform{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := image.Digest()
	if second, _ := again.Digest(); first != second {
		t.Errorf("the same files give %v, and then %v", first, second)
	}
}

func TestTheLoadsImage(t *testing.T) {
	t.Parallel()
	image, err := context(t).image(dockerfile(t, ".ci/e2e.Dockerfile"), v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"k6=k6", "soak=soak", "test/data/more/sms.txt=data/more/sms.txt", "test/lib/qst.js=lib/qst.js", "test/scenarios/smoke.js=scenarios/smoke.js"}
	if got := files(t, image); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func files(t *testing.T, image v1.Image) (found []string) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(found)
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		want := int64(0o755)
		if slices.Contains([]string{"etc/ssl/certs/ca-certificates.crt", "LICENSE", "THIRD_PARTY_NOTICES.txt"}, h.Name) {
			want = 0o644
		}
		if h.Mode != want {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		found = append(found, h.Name+"="+string(text))
	}
}

func TestWhatItDoesNotKnowIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                           "no FROM",
		"COPY a /a":                                  "before FROM",
		"FROM debian":                                "from scratch only",
		"FROM scratch\nRUN make":                     "RUN: not an instruction",
		"FROM scratch\nADD a /a":                     "ADD: not an instruction",
		"FROM scratch\nCOPY --from=x a /a":           "not one file or folder",
		"FROM scratch\nCOPY a b /c":                  "not one file or folder",
		"FROM scratch\nCOPY a /b/":                   "not one file or folder",
		"FROM scratch\nCOPY nothing /a":              "nothing",
		"FROM scratch\nCOPY $A /a":                   "no ARG [A]",
		"FROM scratch\nLABEL a=b":                    "not key=",
		"FROM scratch\nENTRYPOINT /api":              "ENTRYPOINT",
		"FROM scratch\nARG A=linux-amd64\nCOPY $A /": "not one file or folder",
	} {
		_, err := context(t).image(text, v1.Platform{OS: "linux", Architecture: "amd64"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestQualified(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"qst:e2e": "docker.io/library/qst:e2e", "someone/qst:1": "docker.io/someone/qst:1",
		"ghcr.io/queuestatetransfer/qst:1": "ghcr.io/queuestatetransfer/qst:1", "localhost/qst:1": "localhost/qst:1", "localhost:5000/qst:1": "localhost:5000/qst:1",
	} {
		if got := qualified(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
