package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand writes the manual page from the commands' own help, so that there is
// one text. Cobra's generator would bring three more modules.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man",
		Short:  "Write the manual page to the standard output",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeMan(cmd.OutOrStdout(), cmd.Root())
		},
	}
}

func writeMan(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH QST 1 \"\" \"qst %s\"\n.SH NAME\nqst \\- %s\n", roff(programVersion()), roff(root.Short))
	b.WriteString(".SH SYNOPSIS\n")
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, ".B %s\n.br\n", roff(c.UseLine()))
		}
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n.nf\n%s\n.fi\n.SH OPTIONS\n", roff(root.Long))
	writeFlags(&b, root.PersistentFlags())
	writeCommands(&b, root.Commands())
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCommands writes a section for each command, and for those in it.
func writeCommands(b *strings.Builder, commands []*cobra.Command) {
	for _, c := range commands {
		if !c.IsAvailableCommand() {
			continue
		}
		fmt.Fprintf(b, ".SH \"%s\"\n%s\n.PP\n", roff(strings.ToUpper(c.CommandPath())), roff(c.Short))
		if c.HasParent() && c.Parent().HasParent() {
			fmt.Fprintf(b, ".B %s\n.PP\n", roff(c.UseLine())) // the others are in the synopsis
		}
		b.WriteString(".nf\n")
		if c.Long != "" {
			fmt.Fprintf(b, "%s\n", roff(c.Long))
		}
		if c.Example != "" {
			fmt.Fprintf(b, "\n%s\n", roff(c.Example))
		}
		b.WriteString(".fi\n")
		writeFlags(b, c.LocalNonPersistentFlags())
		writeFlags(b, c.PersistentFlags())
		writeCommands(b, c.Commands())
	}
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		short := ""
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(short+"--"+f.Name+" "+name)), roff(usage))
	})
}

// roff escapes text for a manual page.
func roff(s string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	var b strings.Builder
	for _, r := range strings.Join(lines, "\n") {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, `\[u%04X]`, r) // whatever charset the page is read in
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
