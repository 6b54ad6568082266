// Command generate writes what is made from the chart: its README, the part of its
// schema that follows from docs/configuration.md, and deploy/k8s. `make generate`
// runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/queuestatetransfer/qst/.ci/kube/chart"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	// First of all: by it the chart is rendered for the others.
	schema, err := chart.Schema()
	if err != nil {
		return err
	}
	if err := write(chart.SchemaFile, schema); err != nil {
		return err
	}
	files, err := chart.Generated()
	if err != nil {
		return err
	}
	stale, err := chart.Stale(files)
	if err != nil {
		return err
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(chart.Root, name)); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := write(name, text); err != nil {
			return err
		}
	}
	return nil
}

func write(name, text string) error {
	return os.WriteFile(filepath.Join(chart.Root, name), []byte(text), 0o644)
}
