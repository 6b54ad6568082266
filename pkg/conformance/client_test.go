package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/conformance"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// ours is package client, with a format.
func ours(format qst.Format) conformance.Client {
	return func(ctx context.Context, task conformance.Task) conformance.Outcome {
		opts := []client.Option{client.WithFormat(format), client.WithRetry(time.Millisecond, 2*time.Second, time.Minute), client.WithWait(time.Second)}
		if task.User != "" {
			opts = append(opts, client.WithBasicAuth(task.User, task.Password))
		}
		c, err := client.New(task.URL, opts...)
		if err != nil {
			return conformance.Outcome{Ending: conformance.Broken, Said: err.Error()}
		}
		var out conformance.Outcome
		if len(task.Messages) > 0 {
			var msgs []qst.Message
			msgs, err = qst.Decode(qst.JSON, "", []byte("["+strings.Join(task.Messages, ",")+"]"), qst.NoLimits())
			if err == nil {
				_, err = c.Push(ctx, msgs...)
			}
		} else {
			out.Messages, err = pullAll(ctx, c, task)
		}
		var refused *client.RejectedError
		var stop *client.EndpointError
		switch {
		case err == nil:
			out.Ending = conformance.Done
		case errors.As(err, &refused):
			out.Ending = conformance.Refused
		case errors.As(err, &stop):
			out.Ending = conformance.Stopped
		default:
			out.Ending = conformance.Broken
		}
		out.Said = fmt.Sprint(err)
		return out
	}
}

var errHandler = errors.New("the handler failed")

func pullAll(ctx context.Context, c *client.Client, task conformance.Task) (handled []string, err error) {
	for m, err := range c.Pull(ctx, client.PullOptions{Limit: task.Max, Store: client.NewFileStore(task.State)}) {
		if err != nil {
			return handled, err
		}
		if len(handled)+1 == task.Fail {
			return handled, errHandler
		}
		line := qst.AppendJSON(nil, []qst.Message{m})
		handled = append(handled, string(line[1:len(line)-1]))
	}
	return handled, nil
}

func TestClient(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]qst.Format{"JSON": qst.JSON, "XML": qst.XML} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := conformance.RunClient(t.Context(), conformance.ClientCases(), ours(format), time.Minute, 8, func(r conformance.Result) { report(t, r) })
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d passed, %d failed, %d skipped, in %.1f s", r.Passed, r.Failed, r.Skipped, r.Seconds)
			if r.Passed < 60 {
				t.Errorf("only %d cases passed", r.Passed)
			}
		})
	}
}
