package httpapi

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// push answers a POST; see "Pushing" in the protocol.
func (a *API) push(c echo.Context, n queue.Name, call queue.Caller) error {
	r := c.Request()
	body, err := a.body(c)
	if err != nil {
		return err
	}
	ev := eventOf(c)
	ev.in = len(body)
	format, charset, err := contentType(r, body)
	if err != nil {
		return err
	}
	messages, err := qst.Decode(format, charset, body, a.opts.Limits)
	if err != nil {
		return err
	}
	if err := checkText(messages); err != nil {
		return err
	}
	result, err := a.enqueue(c, n, call, messages)
	if err != nil {
		return err
	}
	ev.pushed = result
	h := c.Response().Header()
	h.Set("Content-Type", format.MediaType())
	h.Set("Cache-Control", "no-store")
	a.send(c, http.StatusOK, receipt(r.Header, h, format, result, messages))
	return nil
}

// enqueue puts what a client pushed into a queue.
func (a *API) enqueue(c echo.Context, n queue.Name, call queue.Caller, messages []qst.Message) (qst.Result, error) {
	batch, err := NewBatch(messages, time.Now())
	if err != nil {
		return qst.Result{}, err
	}
	ctx := c.Request().Context()
	if a.opts.Tracing {
		var span trace.Span
		ctx, span = a.traceSend(ctx, n, len(messages))
		defer span.End()
		batch.Trace = telemetry.Traceparent(ctx)
	}
	if err := a.keepReports(ctx, n, messages); err != nil {
		return qst.Result{}, err
	}
	result, err := a.opts.Queues.Push(ctx, n, call, batch)
	if err != nil {
		if call, err = a.again(c, n.Channel, eventOf(c).endpoint, access.Push, err); err == nil {
			result, err = a.opts.Queues.Push(ctx, n, call, batch)
		}
	}
	if err != nil {
		failed(trace.SpanFromContext(ctx), err)
	} else {
		a.keepTrace(ctx, n, batch.Trace, messages)
	}
	return result, err
}

// contentType tells a body's format and charset: what its header says, or
// without one what its first byte says.
func contentType(r *http.Request, body []byte) (f qst.Format, charset string, err error) {
	if header := r.Header.Get("Content-Type"); header != "" {
		if f, charset, err = qst.ParseMediaType(header); err != nil {
			err = sayContentType(err, header, body)
		}
		return f, charset, err
	}
	f, err = qst.Sniff(body)
	return f, "", err
}

// body reads and decompresses a request's body, in the size it may have. For how
// long it may take, see limitBodyTime.
func (a *API) body(c echo.Context) ([]byte, error) {
	r := c.Request()
	tooLarge := fmt.Errorf("%w: more than %d bytes", errBodyTooLarge, a.opts.PushMaxBytes)
	wire := &wireReader{r: io.LimitReader(r.Body, a.opts.PushMaxBytes+gzipOverhead)}
	var plain io.Reader = wire
	switch encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ", "))); encoding {
	case "", "identity":
		if r.ContentLength > a.opts.PushMaxBytes {
			return nil, tooLarge
		}
	case "gzip", "x-gzip":
		gz, err := gzip.NewReader(wire)
		if err != nil {
			return nil, wire.explain(err)
		}
		plain = gz
	default:
		c.Response().Header().Set("Accept-Encoding", "gzip")
		return nil, fmt.Errorf("%w: Content-Encoding %.64q; gzip is understood", qst.ErrUnsupportedType, encoding)
	}
	// One byte more than allowed tells too large from just right.
	body, err := io.ReadAll(io.LimitReader(plain, a.opts.PushMaxBytes+1))
	if int64(len(body)) > a.opts.PushMaxBytes {
		return nil, tooLarge
	}
	if err != nil {
		return nil, wire.explain(err)
	}
	return body, nil
}

// wireReader reads what comes over the connection, and remembers how that failed.
type wireReader struct {
	r   io.Reader
	err error
}

func (w *wireReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// explain tells a connection that failed, after which the same batch may well get
// through, from a body that is wrong and stays so.
func (w *wireReader) explain(err error) error {
	if w.err != nil {
		return fmt.Errorf("%w: %w", errBodyCut, w.err)
	}
	return fmt.Errorf("%w: %w", errBodyBroken, err)
}

// gzipOverhead is more than gzip adds to what it can't compress (RFC 1952: header
// and trailer, with a file name perhaps; RFC 1951: 5 bytes a block).
const gzipOverhead = 64 << 10
