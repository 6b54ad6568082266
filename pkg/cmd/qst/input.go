package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// messages gives the next message, or io.EOF.
type messages func() (qst.Message, error)

// unlimited leaves it to the server what a message may be.
var unlimited = qst.Limits{MaxMessages: math.MaxInt, MaxMessageBytes: math.MaxInt, MaxProperties: math.MaxInt, MaxNameBytes: math.MaxInt}

// readMessages reads messages in a format, or in the one that the input seems to have.
func readMessages(r *bufio.Reader, format string) (messages, error) {
	if format == "auto" {
		var err error
		if format, err = guess(r); err != nil {
			return nil, err
		}
	}
	switch format {
	case "lines":
		return readLines(r), nil
	case "json":
		return readJSON(r), nil
	case "xml":
		return readXML(r), nil
	case "csv":
		return readCSV(r), nil
	default:
		return nil, usagef("--input %s: not auto, lines, json, xml or csv", format)
	}
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
		case ' ', '\t', '\r', '\n', 0xEF, 0xBB, 0xBF: // a byte order mark too
		case '<':
			return "xml", nil
		case '[', '{':
			return "json", nil
		default:
			return "lines", nil
		}
	}
}

func readLines(r *bufio.Reader) messages {
	return func() (qst.Message, error) {
		for {
			line, err := r.ReadString('\n')
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				return qst.Message{Body: line}, nil
			}
			if err != nil {
				return qst.Message{}, err
			}
		}
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
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		n++
		batch, err := qst.Decode(qst.JSON, "", value, unlimited)
		if err != nil && n > 1 {
			err = fmt.Errorf("value %d: %w", n, err)
		}
		return batch, err
	})
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
		return qst.Decode(qst.XML, "", document, unlimited)
	})
}

func readCSV(r io.Reader) messages {
	d := csv.NewReader(r)
	var columns []string
	return func() (m qst.Message, err error) {
		if columns == nil {
			if columns, err = d.Read(); err != nil {
				return m, err
			}
			columns[0] = strings.TrimPrefix(columns[0], "\ufeff") // spreadsheets write it
		}
		row, err := d.Read()
		if err != nil {
			return m, err
		}
		for i, text := range row {
			if text == "" {
				continue
			}
			switch columns[i] {
			case "id":
				m.ID = text
			case "from":
				m.From = text
			case "to":
				m.To = text
			case "when":
				m.When = text
			case "subject":
				m.Subject = text
			case "body":
				m.Body = text
			default:
				m.Properties = append(m.Properties, qst.Property{Name: columns[i], Values: []qst.Value{{Text: text}}})
			}
		}
		return m, nil
	}
}
