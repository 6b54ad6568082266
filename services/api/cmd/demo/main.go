// Command demo shows the service at work: a gateway pushes real text messages in
// batches to one replica, an application takes them from another by long polls,
// and at the end each must have come out once and in order.
//
// It starts a Redis and two replicas for itself, on free ports, and stops them at the
// end; or uses the service that -url names. It exits with 0 if everything came out
// as it went in, with 1 if not.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// patience bounds the whole demonstration.
const patience = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	urls := flag.String("url", "", "replicas of a running service to use, comma-separated, instead of starting some")
	file := flag.String("messages", "loadtest/data/sms.txt", "text messages, one a line")
	program := flag.String("api", "bin/api", "the service's program, to start")
	batch := flag.Int("batch", 100, "messages in a push")
	flag.Parse()
	err := run(ctx, os.Stdout, *urls, *file, *program, *batch)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, urls, file, program string, batch int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	texts := strings.Split(strings.TrimRight(string(text), "\n"), "\n")

	replicas := strings.Split(urls, ",")
	if urls == "" {
		started, stop, err := start(ctx, out, program)
		if err != nil {
			return err
		}
		defer stop()
		replicas = started
	}
	gateway, application := replicas[0], replicas[len(replicas)-1]
	channel := fmt.Sprintf("/v2/channels/demo-%d", time.Now().UnixNano())
	fmt.Fprintf(out, "%d messages from a gateway at %s to an application at %s\n", len(texts), gateway, application)

	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return pushAll(ctx, gateway+channel+"/gateway", texts, batch) })
	g.Go(func() error { return pullAll(ctx, out, application+channel+"/application", texts) })
	if err := g.Wait(); err != nil {
		fmt.Fprintln(out)
		return err
	}
	fmt.Fprintf(out, "\neach of the %d messages came out once, in order and as it went in (%v)\n", len(texts), time.Since(began).Round(time.Millisecond))
	return nil
}

// answers tells whether the service is there: an empty pull, which leaves nothing behind.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := request(ctx, http.MethodGet, url+"/v2/channels/demo?format=json", nil)
	return err == nil
}

// pushAll is the gateway: it pushes the texts in batches, and a batch again when
// that may help.
func pushAll(ctx context.Context, url string, texts []string, size int) error {
	for start := 0; start < len(texts); start += size {
		end := min(start+size, len(texts))
		messages := make([]qst.Message, 0, size)
		for i := start; i < end; i++ {
			messages = append(messages, qst.Message{
				ID: "sms-" + strconv.Itoa(i), From: "sms://85512345678", To: "sms://2020", Body: texts[i],
			})
		}
		body := qst.AppendJSON(nil, messages)
		for {
			_, err := request(ctx, http.MethodPost, url, body)
			if err == nil {
				break
			}
			if !errors.Is(err, errRetry) {
				return fmt.Errorf("pushing messages %d to %d: %w", start, end-1, err)
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// pullAll is the application: it long-polls, checks what comes, and confirms it
// with the next poll.
func pullAll(ctx context.Context, out io.Writer, url string, want []string) error {
	next, etag, shown := 0, "", time.Time{}
	for {
		a, err := request(ctx, http.MethodGet, url+"?format=json&long-polling=true&wait=5&etag="+etag, nil)
		if errors.Is(err, errRetry) {
			if err := pause(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("pulling: %w", err)
		}
		messages, err := qst.Decode(qst.JSON, "", a.body, qst.Limits{})
		if err != nil {
			return fmt.Errorf("pulling: %w", err)
		}
		for _, m := range messages {
			if next >= len(want) || m.ID != "sms-"+strconv.Itoa(next) || m.Body != want[next] {
				return fmt.Errorf("message %d came out as %s %q", next, m.ID, m.Body)
			}
			next++
		}
		if tag, ok := qst.ParseETag(a.etag); ok {
			etag = strings.Trim(tag.String(), `"`)
		}
		if next == len(want) {
			progress(out, next, len(want))
			return confirmLast(ctx, url, etag)
		}
		if time.Since(shown) > 100*time.Millisecond {
			shown = time.Now()
			progress(out, next, len(want))
		}
	}
}

// confirmLast confirms the last batch, and sees that nothing comes a second time.
func confirmLast(ctx context.Context, url, etag string) error {
	a, err := request(ctx, http.MethodGet, url+"?format=json&etag="+etag, nil)
	if err != nil {
		return fmt.Errorf("confirming: %w", err)
	}
	if string(a.body) != "[]" {
		return fmt.Errorf("after the last message came %s", a.body)
	}
	return nil
}

func progress(out io.Writer, n, of int) {
	fmt.Fprintf(out, "\r%5d of %d received and confirmed", n, of)
}

// errRetry is an answer after which the protocol has a client try again.
var errRetry = errors.New("try again")

type reply struct {
	body []byte
	etag string
}

func request(ctx context.Context, method, url string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", qst.JSON.MediaType())
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return reply{}, err
	case resp.StatusCode >= http.StatusInternalServerError:
		return reply{}, fmt.Errorf("%w: %s: %s", errRetry, resp.Status, b)
	case resp.StatusCode != http.StatusOK:
		return reply{}, fmt.Errorf("%s: %s", resp.Status, b)
	}
	return reply{body: b, etag: resp.Header.Get("ETag")}, nil
}

func pause(ctx context.Context) error {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
