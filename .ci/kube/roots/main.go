// Command roots writes the public CAs that Mozilla trusts, as PEM: an image that is
// built from nothing has no others. They come with a Go module, so that building
// needs no more than the module proxy, and their version is pinned in go.sum.
package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "roots:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // trusted for a part of what it signs; a PEM file can't say that
		}
		if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return err
		}
	}
	return nil
}
