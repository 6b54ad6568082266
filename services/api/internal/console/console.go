package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Path is what the paths of the page's files start with.
const Path = "/console/"

//go:embed static
var static embed.FS

// file is one of the page's files, ready to be sent.
type file struct {
	kind         string // Content-Type
	etag         string
	body, zipped []byte
}

// Handler serves the page's files, below [Path].
type Handler struct{ files map[string]file }

// New returns the page.
func New() *Handler {
	h := &Handler{files: make(map[string]file)}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		h.files[strings.TrimPrefix(name, "static/")] = newFile(name, body)
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("console: %v", err)) // the files are part of the program
	}
	return h
}

func newFile(name string, body []byte) file {
	// Not what the machine's mime.types says: it differs from machine to machine.
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	f := file{kind: kinds[path.Ext(name)], body: body}
	if f.kind == "" {
		f.kind = "text/plain; charset=utf-8" // a licence
	}
	sum := sha256.Sum256(body)
	f.etag = `"` + hex.EncodeToString(sum[:8]) + `"`
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // a level that there is
	_, _ = w.Write(body)                                       // a buffer takes everything
	_ = w.Close()
	f.zipped = zipped.Bytes()
	return f
}

// policy lets the page load its own files and call its own server, and nothing else; it can't be
// framed, and text can't become markup (Trusted Types).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	header.Set("Cache-Control", "no-cache") // a browser keeps it, and asks whether it is still so
	name := strings.TrimPrefix(r.URL.Path, Path)
	if name == "" {
		name = "index.html"
	}
	f, ok := h.files[name]
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	header.Set("Content-Type", f.kind)
	header.Set("Vary", "Accept-Encoding")
	body := f.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		body = f.zipped
		f.etag = strings.TrimSuffix(f.etag, `"`) + `-gzip"`
	}
	header.Set("ETag", f.etag)
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body) // a browser that has gone
}
