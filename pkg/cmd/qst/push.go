package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// pushChunk is the most messages that are pushed at a time: a batch.
const pushChunk = 1000

type pushFlags struct {
	message    qst.Message
	properties []string
	one        bool // the flags have a message's body or subject, be they empty
	input      string
	gzip       bool
	count      bool
	ids        bool
	report     string
}

func (a *app) pushCommand() *cobra.Command {
	var p pushFlags
	cmd := &cobra.Command{
		Use:   "push [--body text | --input format] [flags]",
		Short: "Push one message, or those from the standard input",
		Long: `Pushes the message that the flags describe or, without --body and --subject, the
messages on the standard input:

  lines  each line is the body of a message
  json   objects or arrays of them, one after the other; JSON lines too
  xml    a <messages> document
  csv    the first line names the columns: id, from, to, when, subject, body;
         any other is a property; commas, semicolons or tabs separate

Text must be UTF-8. Messages are pushed as they arrive: tail -f file | qst push works.

--from, --to and the other flags fill in what a message on the standard input lacks.

A message without an id is given one, so that nothing is stored twice when a push has to
be tried again. That does not help if you push the same file again with another call:
for that, give its messages ids.

Messages are stored in order. qst stops at the first message that the server refuses, or
that can't be read: the messages before it are stored, those after it are not.`,
		Example: `  qst push --to sms://838383 --body 'Fish & chips'
  seq 3 | qst push --to sms://838383
  qst push --input csv < messages.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("%s is one argument too many: a text is given as --body TEXT, a file as < FILE", shown(args[0]))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.one = cmd.Flags().Changed("body") || cmd.Flags().Changed("subject")
			return a.push(cmd.Context(), &p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.message.ID, "id", "", "`id` of the message")
	f.StringVar(&p.message.From, "from", "", "sender's `address`, such as sms://838383")
	f.StringVar(&p.message.To, "to", "", "recipient's `address`")
	f.StringVar(&p.message.When, "when", "", "`time` of sending, RFC 3339; the server's if there is none")
	f.StringVar(&p.message.Subject, "subject", "", "`text` of the subject")
	f.StringVarP(&p.message.Body, "body", "b", "", "`text` of the body")
	f.StringArrayVar(&p.properties, "property", nil, "a custom property, `name=value`; may be repeated")
	f.StringVarP(&p.input, "input", "i", "auto", "`format` of the standard input: lines, json, xml or csv; auto: < is xml, [ and { are json, the rest lines")
	f.BoolVar(&p.gzip, "gzip", false, "compress what is sent")
	f.BoolVar(&p.count, "count", false, "say what SMS the messages will be, in how many parts, and push nothing")
	f.StringVar(&p.report, "report", "", "push a delivery report, `id=status`: what became of a message (sent, delivered, failed, expired, rejected, unknown)")
	f.BoolVar(&p.ids, "ids", false, "write the ids of the messages, as they are stored, instead of their number")
	complete(cmd, "input", "auto", "lines", "json", "xml", "csv")
	return cmd
}

func (a *app) push(ctx context.Context, p *pushFlags) error {
	if err := p.setReport(); err != nil {
		return err
	}
	for _, property := range p.properties {
		name, value, ok := strings.Cut(property, "=")
		if !ok || name == "" {
			return usagef("--property %q is not name=value", property)
		}
		if fieldNamed(new(qst.Message), name) != nil {
			return usagef("--property %s: that is a field of a message, which --%s sets", name, name)
		}
		p.message.Properties = append(p.message.Properties, qst.Property{Name: name, Values: []qst.Value{{Text: value}}})
	}
	for _, text := range append([]string{p.message.ID, p.message.From, p.message.To, p.message.When, p.message.Subject, p.message.Body}, p.properties...) {
		if !utf8.ValidString(text) {
			return usagef("%q is %w", text, errUTF8)
		}
	}
	if p.message.When != "" {
		if _, err := time.Parse(time.RFC3339, p.message.When); err != nil {
			return usagef("--when %q is not a time such as 2026-11-23T09:30:00Z", p.message.When)
		}
	}
	if p.count {
		return a.pushCount(ctx, p)
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	var opts []client.Option
	if p.gzip {
		opts = append(opts, client.WithGzip())
	}
	c, err := a.connect(s, opts...)
	if err != nil {
		return err
	}
	if p.one {
		one := []qst.Message{p.message}
		result, err := c.Push(ctx, one...)
		if err != nil {
			return err
		}
		if p.ids {
			return a.writeIDs(one)
		}
		return a.pushed(result)
	}
	source, err := a.pushInput(p)
	if err != nil {
		return err
	}
	result, err := a.pushFrom(ctx, c, source, p)
	if errors.Is(err, errNoMessages) {
		return usagef("nothing was pushed: %w", errNoMessages)
	}
	if err != nil {
		return fmt.Errorf("%d messages are stored; then: %w", result.Accepted+result.Duplicates, err)
	}
	if p.ids {
		return nil
	}
	return a.pushed(result)
}

// pushInput is the standard input as messages.
func (a *app) pushInput(p *pushFlags) (messages, error) {
	if a.inTTY {
		return nil, usagef("nothing to push: give --body, or messages on the standard input")
	}
	if p.message.ID != "" {
		return nil, usagef("--id is for one message, with --body or --subject")
	}
	return readMessages(a.stdin, p.input)
}

// pushCount is push with --count.
func (a *app) pushCount(ctx context.Context, p *pushFlags) error {
	if p.one {
		given := false
		return a.countAll(ctx, func() (qst.Message, error) {
			if given {
				return qst.Message{}, io.EOF
			}
			given = true
			return p.message, nil
		})
	}
	source, err := a.pushInput(p)
	if err != nil {
		return err
	}
	return a.countAll(ctx, source)
}

// read is what a source gave.
type read struct {
	message qst.Message
	err     error // the last one; io.EOF is the end
}

// pushFrom pushes what source gives: at most a chunk at a time, and at once what is
// there when the source takes its time. Of an input with a mistake in it, what
// is before the mistake is pushed.
func (a *app) pushFrom(ctx context.Context, c *client.Client, source messages, p *pushFlags) (qst.Result, error) {
	var (
		total qst.Result
		start = time.Now()
		line  = progress{t: a.terminal}
	)
	defer line.clear()
	input := make(chan read, pushChunk)
	go func() { // reading can't be interrupted; the program ends before it does
		for {
			m, err := source()
			select {
			case input <- read{m, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		chunk, ended := nextChunk(ctx, input)
		for i := range chunk {
			fill(&chunk[i], &p.message)
		}
		first := total.Accepted + total.Duplicates
		result, err := c.Push(ctx, chunk...)
		total.Accepted += result.Accepted
		total.Duplicates += result.Duplicates
		if p.ids {
			line.clear()
			if err := a.writeIDs(chunk[:result.Accepted+result.Duplicates]); err != nil {
				return total, err
			}
		}
		if err != nil {
			if refused, ok := errors.AsType[*client.RejectedError](err); ok {
				refused.Index += first // in the input
				return total, refused
			}
			return total, err
		}
		switch {
		case errors.Is(ended, io.EOF):
			return total, nil
		case ended != nil && ctx.Err() != nil:
			return total, ended
		case ended != nil:
			return total, usagef("input: %w", ended)
		}
		n := total.Accepted + total.Duplicates
		line.showf("%d messages, %.0f/s", n, float64(n)/max(time.Since(start).Seconds(), 0.001))
	}
}

// nextChunk waits for a message, and takes what there is behind it. ended is the error
// that came after them.
func nextChunk(ctx context.Context, input <-chan read) (chunk []qst.Message, ended error) {
	for len(chunk) < pushChunk {
		var r read
		if len(chunk) == 0 {
			select {
			case r = <-input:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			select {
			case r = <-input:
			default:
				return chunk, nil
			}
		}
		if r.err != nil {
			return chunk, r.err
		}
		chunk = append(chunk, r.message)
	}
	return chunk, nil
}

// fill gives m what it lacks.
func fill(m, defaults *qst.Message) {
	for _, f := range []struct {
		field *string
		value string
		bit   qst.Fields
	}{
		{&m.From, defaults.From, qst.FieldFrom},
		{&m.To, defaults.To, qst.FieldTo},
		{&m.When, defaults.When, qst.FieldWhen},
	} {
		if !m.Has(f.bit) {
			*f.field = f.value
		}
	}
	for _, d := range defaults.Properties {
		found := false
		for _, p := range m.Properties {
			found = found || p.Name == d.Name
		}
		if !found {
			m.Properties = append(m.Properties, d)
		}
	}
}

func (a *app) pushed(r qst.Result) error {
	if a.output == "text" {
		_, err := fmt.Fprintf(a.out, "%d accepted, %d duplicates\n", r.Accepted, r.Duplicates)
		return err
	}
	return json.NewEncoder(a.out).Encode(map[string]int{"accepted": r.Accepted, "duplicates": r.Duplicates})
}
