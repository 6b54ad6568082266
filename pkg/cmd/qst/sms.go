package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/pkg/sms"
)

func (a *app) smsCommand() *cobra.Command {
	return group("sms", "Tell what SMS a text will be", "", a.smsCountCommand())
}

// smsMost is the most of a text that is read: more than 255 parts hold.
const smsMost = 1 << 20

func (a *app) smsCountCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "count [TEXT]",
		Short: "Count the parts that a text will be sent in",
		Long: `Shows in which encoding a text is sent as an SMS, in how many parts, and how much room is left
in the last part: septets of GSM-7, or 16-bit units of UCS-2. A single character that is not in
GSM-7 makes the whole text UCS-2; such characters are listed. Without TEXT, the text is the
standard input up to its end, without the line end at the end. Nothing is sent, and no text is changed.`,
		Example: `  qst sms count 'Fish & chips: 5 €'
  qst sms count < text`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, "")
			if len(args) == 0 {
				if a.inTTY {
					return usagef("which text? Give it as an argument, or on the standard input")
				}
				b, err := io.ReadAll(io.LimitReader(a.stdin, smsMost+1))
				if err != nil {
					return fmt.Errorf("reading the text: %w", err)
				}
				if len(b) > smsMost {
					return usagef("the text is larger than %d bytes", smsMost)
				}
				text = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
			}
			if !utf8.ValidString(text) {
				return usagef("the text is %w", errUTF8)
			}
			c := countOfSMS("", text)
			if a.output == "json" {
				return a.writeJSON(c)
			}
			_, err := fmt.Fprintln(a.out, c.text())
			return err
		},
	}
}

// smsCount is what SMS a message's text will be.
type smsCount struct {
	ID       string       `json:"id,omitempty"`
	Encoding sms.Encoding `json:"encoding"`
	Units    int          `json:"units"`
	Parts    int          `json:"parts"`
	Left     int          `json:"left"`
	Outside  string       `json:"outside,omitempty"` // characters that are not in GSM-7
}

func countOfSMS(id, text string) smsCount {
	c := sms.Measure(text)
	return smsCount{ID: id, Encoding: c.Encoding, Units: c.Units, Parts: c.Parts, Left: c.Left, Outside: string(c.Outside)}
}

func (c smsCount) text() string {
	unit := "septet"
	if c.Encoding == sms.UCS2 {
		unit = "unit"
	}
	text := fmt.Sprintf("%s, %s, %s left", c.Encoding, several(c.Parts, "part"), several(c.Left, unit))
	if c.Outside != "" {
		text += "; not in GSM-7: " + visible(c.named())
	}
	if c.Parts > sms.MostParts {
		text += fmt.Sprintf("; more than the %d parts that an SMS can have", sms.MostParts)
	}
	return text
}

// named are the characters that are not in GSM-7; of many, the first ones.
func (c smsCount) named() string {
	const most = 10
	names := make([]string, 0, most+1)
	for _, r := range c.Outside {
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, string(r))
	}
	return strings.Join(names, " ")
}

func several(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// smsText is the text of a message's SMS: as the service writes it for version 1 phones.
func smsText(m *qst.Message) string {
	if m.Subject != "" && m.Body != "" {
		return m.Subject + " - " + m.Body
	}
	return m.Subject + m.Body
}

// countAll says what SMS the messages of a source will be.
func (a *app) countAll(ctx context.Context, source messages) error {
	t := table{terminal: a.terminal, columns: []string{"PARTS", "ENCODING", "LEFT", "NOT IN GSM-7", "TEXT"}}
	n, parts := 0, 0
	for ctx.Err() == nil {
		m, err := source()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return usagef("input: %w", err)
		}
		c := countOfSMS(m.ID, smsText(&m))
		n, parts = n+1, parts+c.Parts
		if a.output == "json" {
			err = a.writeJSON(c)
		} else {
			err = t.write([][]string{{strconv.Itoa(c.Parts), string(c.Encoding), strconv.Itoa(c.Left), c.named(), smsText(&m)}})
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.output == "json" {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "%s, %s: nothing was pushed\n", several(n, "message"), several(parts, "part"))
	return err
}
