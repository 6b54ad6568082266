package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

type pullFlags struct {
	follow, noConfirm bool
	limit             int
	state             string
}

func (a *app) pullCommand() *cobra.Command {
	var p pullFlags
	cmd := &cobra.Command{
		Use:   "pull [flags]",
		Short: "Pull messages and write them to the standard output",
		Long: `Takes the messages out of the queue and writes them: as a table for people, as
JSON lines for programs (see --output). When a message has been written, it is confirmed
and gone from the server. Whatever a pipe has accepted counts as written, so limit the
number of messages with --max rather than with head.

A queue has one consumer. If you pull from a queue that a program is pulling from, you take
messages away from it; with --no-confirm, the program receives them a second time.

If a call with --follow and --state ends at the wrong moment, a message may have been
written but not recorded: it comes again. Without --state, all messages written since the
last answer come again.`,
		Example: `  qst pull --max 10
  qst pull --follow --state place | while read -r message; do …; done
  qst pull --no-confirm`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.pull(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.BoolVarP(&p.follow, "follow", "f", false, "go on, and wait for further messages")
	f.BoolVar(&p.noConfirm, "no-confirm", false, "leave the messages in the queue: at most the first 1000 of it are seen")
	f.IntVarP(&p.limit, "max", "n", 0, "most messages to pull; 0: no limit")
	f.StringVar(&p.state, "state", "", "`file` that keeps the place in the queue from one call to the next")
	return cmd
}

func (a *app) pull(ctx context.Context, p pullFlags) error {
	if p.noConfirm && (p.follow || p.state != "") {
		return usagef("--no-confirm does not go with --follow or --state: without a confirmation the same messages come again")
	}
	if err := checkMax(p.limit); err != nil {
		return err
	}
	if p.follow && a.timeoutSet {
		return usagef("--timeout does not go with --follow, which goes on until it is ended")
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	c, err := a.connect(s)
	if err != nil {
		return err
	}
	w := messageWriter{terminal: a.terminal, json: a.output == "json"}
	if p.noConfirm {
		most := p.limit
		if most == 0 {
			most = 1000
		}
		batch, err := c.Poll(ctx, client.PollRequest{Max: most})
		if err != nil {
			return err
		}
		if batch.Redelivered > 0 {
			fmt.Fprintf(a.err, "qst: %d of these, the first ones, were given out before\n", batch.Redelivered)
		}
		return w.write(batch.Messages)
	}
	opts := client.PullOptions{Limit: p.limit, UntilEmpty: !p.follow}
	if p.state != "" {
		opts.Store = client.NewFileStore(p.state)
	}
	for msgs, err := range c.PullBatches(ctx, opts) {
		switch {
		case err != nil && p.follow && errors.Is(err, context.Canceled):
			return nil // a signal: the way to end it
		case err != nil:
			return err
		}
		if err := w.write(msgs); err != nil {
			return fmt.Errorf("writing messages; they were not confirmed: %w", err)
		}
	}
	return nil
}

// messageWriter writes messages for people or for programs.
type messageWriter struct {
	terminal

	json   bool
	headed bool
}

// write writes all of msgs in one go.
func (w *messageWriter) write(msgs []qst.Message) error {
	var b []byte
	for i := range msgs {
		if w.json {
			array := qst.AppendJSON(nil, msgs[i:i+1])
			b = append(b, array[1:len(array)-1]...) // without [ and ]
			b = append(b, '\n')
			continue
		}
		if !w.headed {
			w.headed = true
			b = append(b, w.paint(dim, row("WHEN", "FROM", "TO", "MESSAGE"))...)
		}
		b = append(b, w.row(&msgs[i])...)
	}
	_, err := w.out.Write(b)
	return err
}

// row is a line of the table. Its columns are as wide as what is usually in them; what is
// longer is not cut.
func row(when, from, to, text string) string {
	const width = 20
	return pad(when, width) + "  " + pad(from, width) + "  " + pad(to, width) + "  " + text + "\n"
}

func (w *messageWriter) row(m *qst.Message) string {
	return row(visible(m.When), visible(m.From), visible(m.To), w.text(m))
}

// text is what a message says, for people: it has been made visible.
func (w *messageWriter) text(m *qst.Message) string {
	text := make([]string, 0, 3)
	for _, s := range []string{m.Subject, m.Body} {
		if s != "" {
			text = append(text, visible(s))
		}
	}
	for _, p := range m.Properties {
		values := make([]string, len(p.Values))
		for i, v := range p.Values {
			values[i] = v.Text
		}
		text = append(text, w.paint(dim, visible(p.Name+"="+strings.Join(values, ","))))
	}
	return strings.Join(text, "  ")
}
