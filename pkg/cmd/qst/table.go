package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/rivo/uniseg"
)

// table writes rows for people. Its columns are as wide as what was in them so far, so
// that a page can be written before the next one is there.
type table struct {
	terminal

	columns []string
	widths  []int
}

func (t *table) write(rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	head := t.widths == nil
	if head {
		t.widths = make([]int, len(t.columns))
		t.widen(t.columns)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = visible(row[i])
		}
		t.widen(row)
	}
	var b strings.Builder
	if head {
		b.WriteString(t.paint(dim, t.line(t.columns)) + "\n")
	}
	for _, row := range rows {
		b.WriteString(t.line(row) + "\n")
	}
	_, err := fmt.Fprint(t.out, b.String())
	return err
}

func (t *table) widen(row []string) {
	for i, cell := range row[:len(row)-1] { // the last may be as long as it is
		t.widths[i] = max(t.widths[i], uniseg.StringWidth(cell))
	}
}

// pad adds spaces until s takes so many columns of a terminal: letters of Chinese take two
// each, marks of Khmer none.
func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-uniseg.StringWidth(s)))
}

func (t *table) line(row []string) string {
	cells := make([]string, len(row))
	for i, cell := range row {
		cells[i] = pad(cell, t.widths[i])
	}
	return strings.TrimRight(strings.Join(cells, "  "), " ")
}

// writeList writes at most so many elements (0: all of them) of pages: rows of a table for
// people, JSON lines for programs.
func writeList[T any](a *app, pages iter.Seq2[[]json.RawMessage, error], most int, columns []string, row func(T) []string) error {
	t := table{terminal: a.terminal, columns: columns}
	left := most
	for page, err := range pages {
		if err != nil {
			return err
		}
		if most > 0 && len(page) > left {
			page = page[:left]
		}
		left -= len(page)
		if err := writePage(a, &t, page, row); err != nil {
			return err
		}
		if most > 0 && left == 0 {
			return nil
		}
	}
	return nil
}

func writePage[T any](a *app, t *table, page []json.RawMessage, row func(T) []string) error {
	if a.output == "json" {
		for _, element := range page {
			if err := a.writeJSON(element); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, len(page))
	for i, element := range page {
		var v T
		if err := understand(element, &v); err != nil {
			return err
		}
		rows[i] = row(v)
	}
	return t.write(rows)
}

// one is a list of one page.
func one(page []json.RawMessage) iter.Seq2[[]json.RawMessage, error] {
	return func(yield func([]json.RawMessage, error) bool) { yield(page, nil) }
}

// writeJSON writes v in a line.
func (a *app) writeJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// field is a line about something.
type field struct{ name, value string }

// writeFields writes those that have a value.
func (a *app) writeFields(fields ...field) error {
	var b strings.Builder
	width := 0
	for _, f := range fields {
		if f.value != "" {
			width = max(width, len(f.name))
		}
	}
	for _, f := range fields {
		if f.value != "" {
			fmt.Fprintf(&b, "%s  %s\n", a.paint(dim, fmt.Sprintf("%-*s", width, f.name)), visible(f.value))
		}
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// say writes what was done: text for people, v for programs.
func (a *app) say(v any, format string, args ...any) error {
	if a.output == "json" {
		return a.writeJSON(v)
	}
	_, err := fmt.Fprintln(a.out, visible(fmt.Sprintf(format, args...)))
	return err
}

// countOf says how many messages n are.
func countOf(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// when writes a time for a table; nil is never.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// stopped reports whether err is an answer with that status.
func stopped(err error, status int) bool {
	e, ok := errors.AsType[*adminError](err)
	return ok && e.status == status
}
