// Command image builds an image from a Dockerfile without a container engine, as an
// OCI archive: for machines that have none, and CI that may not start one.
//
// It knows only what builds from nothing: FROM scratch, ARG, LABEL, COPY, USER,
// EXPOSE and ENTRYPOINT. Anything else is an error, so that what it makes never
// differs from what an engine makes of the same file.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	var b build
	args := map[string]string{}
	flag.StringVar(&b.file, "file", "Dockerfile", "the Dockerfile")
	flag.StringVar(&b.context, "context", ".", "where COPY finds its files")
	platforms := flag.String("platforms", "linux/amd64", "with commas between them")
	out := flag.String("out", "image.tar", "the archive to write")
	flag.Func("arg", "NAME=value of an ARG, may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("not NAME=value")
		}
		args[name] = value
		return nil
	})
	flag.Parse()
	b.args = args
	if err := run(b, strings.Split(*platforms, ","), *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(b build, platforms []string, out string, names []string) error {
	if len(names) != 1 {
		return fmt.Errorf("want one name:tag, have %q", names)
	}
	created, err := time.Parse(time.RFC3339, b.args["DATE"])
	if err != nil {
		return fmt.Errorf("-arg DATE=: %w", err)
	}
	b.created = created
	text, err := os.ReadFile(b.file)
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			return err
		}
		image, err := b.image(string(text), *platform)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	// The names by which containerd and podman find the image in the archive.
	if err := to.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          qualified(names[0]),
		"org.opencontainers.image.ref.name": qualified(names[0]),
	})); err != nil {
		return err
	}
	return archive(dir, out)
}

// qualified returns an image's name with the registry that docker would think of,
// as containerd and Kubernetes know it.
func qualified(name string) string {
	first, _, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		return "docker.io/library/" + name
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return name
	default:
		return "docker.io/" + name
	}
}

// build is what an image is made of.
type build struct {
	file, context string
	args          map[string]string
	created       time.Time
}

// image follows the Dockerfile for one platform.
func (b build) image(text string, platform v1.Platform) (v1.Image, error) {
	values := map[string]string{} // of the ARGs that the file declares
	var image v1.Image
	config := v1.Config{Labels: map[string]string{}, ExposedPorts: map[string]struct{}{}}
	var files []file
	for _, line := range instructions(text) {
		name, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if image == nil && name != "FROM" {
			return nil, fmt.Errorf("%s comes before FROM", name)
		}
		if name == "ARG" {
			arg, value, _ := strings.Cut(rest, "=")
			values[arg] = strings.Trim(value, `"`)
			if given, ok := b.args[arg]; ok {
				values[arg] = given
			}
			if arg == "TARGETARCH" {
				values[arg] = platform.Architecture
			}
			continue
		}
		var unknown []string
		rest = os.Expand(rest, func(arg string) string {
			value, ok := values[arg]
			if !ok {
				unknown = append(unknown, arg)
			}
			return value
		})
		if len(unknown) > 0 {
			return nil, fmt.Errorf("%s: no ARG %v", name, unknown)
		}
		switch name {
		case "FROM":
			if rest != "scratch" {
				return nil, fmt.Errorf("FROM %s: builds from scratch only", rest)
			}
			image = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
		case "LABEL":
			for rest != "" {
				key, after, ok := strings.Cut(rest, `="`)
				value, more, closed := strings.Cut(after, `"`)
				if !ok || !closed {
					return nil, fmt.Errorf(`LABEL %s: not key="value"`, rest)
				}
				config.Labels[strings.TrimSpace(key)] = value
				rest = strings.TrimSpace(more)
			}
		case "COPY":
			fields := strings.Fields(rest)
			if len(fields) != 2 || strings.HasSuffix(fields[1], "/") || strings.HasPrefix(rest, "-") {
				return nil, fmt.Errorf("COPY %s: not one file or folder to one name", rest)
			}
			copied, err := b.copied(fields[0], strings.TrimPrefix(fields[1], "/"))
			if err != nil {
				return nil, err
			}
			files = append(files, copied...)
		case "USER":
			config.User = rest
		case "EXPOSE":
			for port := range strings.FieldsSeq(rest) {
				config.ExposedPorts[port+"/tcp"] = struct{}{}
			}
		case "ENTRYPOINT":
			inner, ok := strings.CutPrefix(rest, `["`)
			inner, ok2 := strings.CutSuffix(inner, `"]`)
			if !ok || !ok2 {
				return nil, fmt.Errorf(`ENTRYPOINT %s: not ["…"]`, rest)
			}
			config.Entrypoint = strings.Split(inner, `", "`)
		default:
			return nil, fmt.Errorf("%s: not an instruction that this builder knows", name)
		}
	}
	if image == nil {
		return nil, errors.New("no FROM")
	}
	layer, err := b.layer(files)
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		CreatedBy: "make image", Created: v1.Time{Time: b.created},
	}})
	if err != nil {
		return nil, err
	}
	current, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	whole := current.DeepCopy()
	whole.Architecture, whole.OS, whole.Variant = platform.Architecture, platform.OS, platform.Variant
	whole.Created, whole.Config = v1.Time{Time: b.created}, config
	return mutate.ConfigFile(image, whole)
}

// instructions returns a Dockerfile's instructions, a line each, without comments.
func instructions(text string) (lines []string) {
	open := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if more, ok := strings.CutSuffix(line, `\`); ok {
			open += strings.TrimSpace(more) + " "
			continue
		}
		lines, open = append(lines, open+line), ""
	}
	return lines
}

type file struct{ from, to string }

// copied returns the files that a COPY is about: one, or all in a folder.
func (b build) copied(from, to string) (files []file, err error) {
	root := filepath.Join(b.context, filepath.FromSlash(from))
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		inside, err := filepath.Rel(root, name)
		files = append(files, file{from: name, to: path.Join(to, filepath.ToSlash(inside))})
		return err
	})
	return files, err
}

// layer packs files, with their folders. The same files give the same layer.
func (b build) layer(files []file) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	folders := map[string]bool{".": true}
	for _, f := range files {
		var missing []string
		for dir := path.Dir(f.to); !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
			missing = append([]string{dir}, missing...)
		}
		for _, dir := range missing {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: b.created}); err != nil {
				return nil, err
			}
		}
		info, err := os.Stat(f.from)
		if err != nil {
			return nil, err
		}
		content, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.to, Mode: mode, Size: int64(len(content)), ModTime: b.created}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// archive packs a folder's files into a tar file, in the order of their names.
func archive(dir, out string) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	if err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(inside), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}); err != nil {
		return err
	}
	return w.Close()
}
