package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// messages gives the next message, or io.EOF.
type messages func() (qst.Message, error)

// readMessages reads messages in a format, or in the one that the input seems to have.
func readMessages(r *bufio.Reader, format string) (messages, error) {
	if err := skipMark(r); err != nil {
		return nil, err
	}
	if format == "auto" {
		var err error
		if format, err = guess(r); err != nil {
			return nil, err
		}
	}
	switch format {
	case "lines":
		return some(readLines(r)), nil
	case "json":
		return readJSON(r), nil
	case "xml":
		return readXML(r), nil
	case "csv":
		return some(readCSV(r)), nil
	default:
		return nil, usagef("--input %s: not auto, lines, json, xml or csv", format)
	}
}

// skipMark skips the byte order mark of UTF-8, which spreadsheets and editors write.
// That of UTF-16 is left for XML, which may be in it, and refused elsewhere.
func skipMark(r *bufio.Reader) error {
	// Not three bytes at once: there may be less for now. An error comes again.
	if head, _ := r.Peek(1); len(head) == 0 || head[0] != 0xEF {
		return nil
	}
	head, _ := r.Peek(3)
	if string(head) != "\ufeff" {
		return nil
	}
	_, err := r.Discard(len(head))
	return err
}

// guess tells the format from the first byte that is not white space.
func guess(r *bufio.Reader) (string, error) {
	for n := 1; ; n++ {
		head, err := r.Peek(n)
		if len(head) < n { // the end, or more white space than the buffer holds
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
				return "", fmt.Errorf("reading messages: %w", err)
			}
			return "lines", nil
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n':
		case '<', 0xFE, 0xFF: // UTF-16's byte order mark
			return "xml", nil
		case '[', '{':
			return "json", nil
		default:
			return "lines", nil
		}
	}
}

// errUTF8 says that a text would not arrive as it is. Messages are Unicode.
var errUTF8 = errors.New("not UTF-8; iconv converts it")

func readLines(in *bufio.Reader) messages {
	r := bufio.NewReader(&lineEnds{r: in})
	n := 0
	return func() (qst.Message, error) {
		for {
			line, err := r.ReadString('\n')
			n++
			if !utf8.ValidString(line) {
				return qst.Message{}, fmt.Errorf("line %d: %w", n, errUTF8)
			}
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				return qst.Message{Body: line}, nil
			}
			if err != nil {
				return qst.Message{}, err
			}
		}
	}
}

// errNoMessages says that an input is empty, or a header and nothing else. An empty array
// or document is something else: somebody wrote that there are none.
var errNoMessages = errors.New("there are no messages on the standard input")

// some has an input without a message end in errNoMessages.
func some(next messages) messages {
	found := false
	return func() (qst.Message, error) {
		m, err := next()
		if errors.Is(err, io.EOF) && !found {
			return m, errNoMessages
		}
		found = true
		return m, err
	}
}

// each gives the messages of one batch after the other.
func each(next func() ([]qst.Message, error)) messages {
	var batch []qst.Message
	return func() (qst.Message, error) {
		for len(batch) == 0 {
			var err error
			if batch, err = next(); err != nil {
				return qst.Message{}, err
			}
		}
		m := batch[0]
		batch = batch[1:]
		return m, nil
	}
}

func readJSON(r io.Reader) messages {
	d := json.NewDecoder(r)
	n := 0
	return each(func() ([]qst.Message, error) {
		var value json.RawMessage
		switch err := d.Decode(&value); {
		case errors.Is(err, io.EOF) && n == 0:
			return nil, errNoMessages
		case err != nil:
			return nil, jsonError(n+1, err)
		}
		n++
		batch, err := qst.Decode(qst.JSON, "", value, qst.NoLimits())
		if err != nil && n > 1 {
			err = fmt.Errorf("value %d: %w", n, err)
		}
		return batch, err
	})
}

// jsonError says of which value it is that an input is no JSON.
func jsonError(value int, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("value %d is not JSON: %w (byte %d)", value, err, syntax.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("value %d is not whole: the input ends in it", value)
	}
	return err
}

func readXML(r io.Reader) messages {
	done := false
	return each(func() ([]qst.Message, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		document, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		return qst.Decode(qst.XML, "", document, qst.NoLimits())
	})
}

func readCSV(in *bufio.Reader) messages {
	r := bufio.NewReader(&lineEnds{r: in})
	d := csv.NewReader(r)
	var columns []string
	return func() (m qst.Message, err error) {
		if columns == nil {
			d.Comma = separator(r)
			if columns, err = readHeader(d); err != nil {
				return m, err
			}
		}
		row, err := d.Read()
		if parse, ok := errors.AsType[*csv.ParseError](err); ok && errors.Is(err, csv.ErrFieldCount) {
			return m, fmt.Errorf("line %d has %d columns, the first line has %d", parse.Line, len(row), len(columns))
		}
		if err != nil {
			return m, err
		}
		for i, text := range row {
			if text == "" {
				continue
			}
			if !utf8.ValidString(text) {
				line, _ := d.FieldPos(i)
				return m, fmt.Errorf("line %d: %w", line, errUTF8)
			}
			if field := fieldNamed(&m, columns[i]); field != nil {
				*field = text
				continue
			}
			m.Properties = append(m.Properties, qst.Property{Name: columns[i], Values: []qst.Value{{Text: text}}})
		}
		return m, nil
	}
}

// separator tells what separates columns: spreadsheets in half of the world write
// semicolons, and some write tabs.
func separator(r *bufio.Reader) rune {
	line := firstLineOf(r)
	for _, c := range ",;\t" {
		if strings.ContainsRune(line, c) {
			return c
		}
	}
	return ','
}

// firstLineOf returns what there is of the first line without waiting for more than that.
func firstLineOf(r *bufio.Reader) string {
	for n := 1; ; n = max(n+1, r.Buffered()) {
		head, err := r.Peek(min(n, r.Size())) // what is wrong shows when it is read
		if line, _, found := strings.Cut(string(head), "\n"); found || err != nil || n >= r.Size() {
			return line
		}
	}
}

// readHeader reads the names of the columns.
func readHeader(d *csv.Reader) ([]string, error) {
	columns, err := d.Read()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	fields := false // a column is one of a message's fields
	for i, name := range columns {
		name = strings.TrimSpace(name)
		columns[i] = name
		lower := strings.ToLower(name)
		switch {
		case !utf8.ValidString(name):
			return nil, fmt.Errorf("the first line: %w", errUTF8)
		case name == "":
			return nil, fmt.Errorf("column %d has no name", i+1)
		case seen[name]:
			return nil, fmt.Errorf("there are two columns %q", name)
		case name != lower && fieldNamed(new(qst.Message), lower) != nil:
			return nil, fmt.Errorf("column %q would be a property; the field is called %q", name, lower)
		}
		seen[name] = true
		fields = fields || fieldNamed(new(qst.Message), name) != nil
	}
	if !fields {
		return nil, fmt.Errorf("the first line, %q, names no column that is a field of a message (%s): is it a message already?",
			strings.Join(columns, string(d.Comma)), strings.Join(fieldNames, ", "))
	}
	return columns, nil
}

var fieldNames = []string{"id", "from", "to", "when", "subject", "body"}

// fieldNamed returns m's field of that name; nil: there is none.
func fieldNamed(m *qst.Message, name string) *string {
	switch name {
	case "id":
		return &m.ID
	case "from":
		return &m.From
	case "to":
		return &m.To
	case "when":
		return &m.When
	case "subject":
		return &m.Subject
	case "body":
		return &m.Body
	default:
		return nil
	}
}
