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
		if err := os.WriteFile(filepath.Join(chart.Root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
