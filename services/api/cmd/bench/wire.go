package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
)

// wire is a keep-alive HTTP/1.1 connection that sends requests as they are written
// and reads of an answer what the benchmark asks for. net/http's client takes more
// CPU time than some of the servers that are measured.
type wire struct {
	conn net.Conn
	in   *bufio.Reader

	// The last answer's, until the next exchange.
	status         int
	etag, modified []byte
	body, piece    []byte
}

// maxAnswer bounds the body of an answer.
const maxAnswer = 64 << 20

// dialWire connects. The connection is closed when ctx ends, so that no exchange
// outlives it.
func dialWire(ctx context.Context, address string) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &wire{conn: conn, in: bufio.NewReader(conn)}, nil
}

// exchange sends a request and reads its answer. A status that is not 2xx is an error.
func (w *wire) exchange(request []byte) error {
	w.status = 0
	if _, err := w.conn.Write(request); err != nil {
		return err
	}
	return w.answer()
}

func (w *wire) answer() error {
	length, err := w.head()
	if err != nil {
		return err
	}
	if length == chunked {
		err = w.chunks()
	} else {
		err = w.sized(length)
	}
	if err == nil && (w.status < 200 || w.status > 299) {
		err = fmt.Errorf("status %d: %s", w.status, w.body)
	}
	return err
}

// chunked is the length of a body that says its length piece by piece.
const chunked = -1

// head reads the status line and the header, and returns the body's length.
func (w *wire) head() (length int, err error) {
	line, err := w.line()
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < 12 {
		return 0, fmt.Errorf("not an answer of HTTP/1.1: %q", line)
	}
	if w.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("the status: %w", err)
	}
	w.etag, w.modified = w.etag[:0], w.modified[:0]
	for {
		if line, err = w.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			return length, nil
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			return 0, fmt.Errorf("not a header field: %q", line)
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("ETag")):
			w.etag = append(w.etag, value...)
		case bytes.EqualFold(name, []byte("Last-Modified")):
			w.modified = append(w.modified, value...)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = chunked
		case bytes.EqualFold(name, []byte("Content-Length")) && length != chunked:
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswer {
				return 0, fmt.Errorf("a Content-Length of %q", value)
			}
		}
	}
}

// line is the next line, without its end, until the next read.
func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func (w *wire) sized(length int) error {
	w.body = slices.Grow(w.body[:0], length)[:length]
	_, err := io.ReadFull(w.in, w.body)
	return err
}

// chunks reads a body that comes in chunks.
func (w *wire) chunks() error {
	w.body = w.body[:0]
	for {
		chunk, err := w.chunk()
		if err != nil || len(chunk) == 0 {
			return err
		}
		if w.body = append(w.body, chunk...); len(w.body) > maxAnswer {
			return fmt.Errorf("an answer of more than %d bytes", maxAnswer)
		}
	}
}

// chunk reads the next chunk of a body; the last one is empty. A trailer is not
// expected.
func (w *wire) chunk() ([]byte, error) {
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(string(line), 16, 31)
	if err != nil || n > maxAnswer {
		return nil, fmt.Errorf("a chunk of length %q", line)
	}
	w.piece = slices.Grow(w.piece[:0], int(n))[:n]
	if _, err := io.ReadFull(w.in, w.piece); err != nil {
		return nil, err
	}
	if line, err = w.line(); err == nil && len(line) > 0 {
		err = fmt.Errorf("after a chunk: %q", line)
	}
	return w.piece, err
}
