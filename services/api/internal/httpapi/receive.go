package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// batchWeight is how often a batch is in memory until it is stored: as it came, as
// messages, in canonical form, on its way to Redis.
const batchWeight = 4

// gzipOverhead is more than gzip adds to what it can't compress (RFC 1952: header
// and trailer; RFC 1951: 5 bytes for every 64 KiB).
const gzipOverhead = 64 << 10

// body reads a request's body, and decompresses it, in the size it may have. What it takes
// in memory is taken from the channel's share first. It is decompressed when it is there
// whole: a client that is slow, or stops, has no more here than what it has sent. For how
// long it may take, see timely.
func (a *API) body(c echo.Context) ([]byte, error) {
	r, ev := c.Request(), eventOf(c)
	most := a.opts.PushMaxBytes
	tooLarge := fmt.Errorf("%w: more than %d bytes", errBodyTooLarge, most)
	compressed := false
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ", "))); encoding {
	case "", "identity":
		if r.ContentLength > most {
			return nil, tooLarge
		}
	case "gzip", "x-gzip":
		compressed = true
	default:
		c.Response().Header().Set("Accept-Encoding", "gzip")
		return nil, fmt.Errorf("%w: Content-Encoding %.64q; gzip is understood", qst.ErrUnsupportedType, encoding)
	}
	take := func(n int) bool { return ev.share.Set(int64(n)) }
	if !compressed {
		body, err := readAll(r.Body, most, r.ContentLength, take)
		if err == nil && !ev.share.Set(batchWeight*int64(len(body))) {
			err = errBusy
		}
		return body, received(err, errBodyCut, tooLarge)
	}
	wire, err := readAll(r.Body, most+gzipOverhead, r.ContentLength, take)
	if err != nil {
		return nil, received(err, errBodyCut, tooLarge)
	}
	size := int64(unpackedSize(wire))
	var body []byte
	err = a.compute(r.Context(), ev.channel, int(min(most, deflateMost*int64(len(wire)))), func() error {
		gz, err := gzip.NewReader(bytes.NewReader(wire))
		if err != nil {
			return err
		}
		body, err = readAll(gz, most, size, func(n int) bool { return ev.share.Set(int64(len(wire)) + batchWeight*int64(n)) })
		return err
	})
	return body, received(err, errBodyBroken, tooLarge)
}

// deflateMost is how many bytes a compressed byte can have in it (RFC 1951). How many it says that it
// has is its sender's word.
const deflateMost = 1032

// received says what an error of reading a body means: failed, unless it is told by itself.
func received(err, failed, tooLarge error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooMuch):
		return tooLarge
	case errors.Is(err, errBusy):
		return err
	default:
		return fmt.Errorf("%w: %w", failed, err)
	}
}

// unpackedSize is how many bytes something compressed says that it has, uncompressed.
func unpackedSize(wire []byte) uint32 {
	const trailer = 4
	if len(wire) < trailer {
		return 0
	}
	return binary.LittleEndian.Uint32(wire[len(wire)-trailer:])
}

var errTooMuch = errors.New("more than there may be")

// readAll reads at most so many bytes, and asks for memory before it uses it. expected is
// how many there will be, as somebody says; if it is not known, 0 or less. It returns
// errTooMuch or errBusy.
func readAll(r io.Reader, most, expected int64, take func(n int) bool) ([]byte, error) {
	const first, firstMost = 4 << 10, 64 << 10
	// One byte more than allowed tells too much from just right; one more than expected has
	// the end noticed without growing.
	size := int(min(most+1, firstMost, max(first, expected+1)))
	if !take(size) {
		return nil, errBusy
	}
	b := make([]byte, 0, size)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > most {
			return nil, errTooMuch
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) {
			size := int(min(most+1, int64(2*cap(b))))
			if e := expected + 1; e > int64(len(b)) && e < int64(size) {
				size = int(e)
			}
			if !take(size + cap(b)) { // both, while one is copied to the other
				return nil, errBusy
			}
			b = append(make([]byte, 0, size), b...)
		}
	}
}
