// Command gen writes docs/configuration.md from the tags of config.Config and
// the text around them in configuration.md.tmpl. `make generate` runs it.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"

	"github.com/queuestatetransfer/qst/services/api/internal/config"
)

//go:embed configuration.md.tmpl
var text string

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want the name of the file to write, have %q", args)
	}
	var doc bytes.Buffer
	if err := write(&doc); err != nil {
		return err
	}
	if err := os.WriteFile(args[0], doc.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

func write(w io.Writer) error {
	page, err := template.New("configuration.md").Funcs(template.FuncMap{
		// A bar would end the table's cell.
		"cell": func(s string) string { return strings.ReplaceAll(s, "|", `\|`) },
	}).Parse(text)
	if err != nil {
		return fmt.Errorf("parse the template: %w", err)
	}
	if err := page.Execute(w, config.Variables()); err != nil {
		return fmt.Errorf("execute the template: %w", err)
	}
	return nil
}
