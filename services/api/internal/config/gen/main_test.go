package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.FromSlash("../../../../../docs/configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/configuration.md is not what the code says: run `make generate`")
	}
}
