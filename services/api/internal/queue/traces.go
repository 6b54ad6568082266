package queue

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const (
	// keptTraces is of how many of a queue's messages, about, it is known for the reports to come which
	// push brought them: the latest ones, if their push was traced.
	keptTraces = 1000
	// tracesFor is for how long that is known after the last one.
	tracesFor = 24 * time.Hour
)

// KeepTrace keeps the trace context of a push with the ids of its messages, so that what is reported
// of them can be joined to it. A large batch takes the room of many small ones.
func (o *Operator) KeepTrace(ctx context.Context, n Name, trace string, ids []string) error {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	messages, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	key, pipe := o.queues.key(n).Traces(), o.rdb.Pipeline()
	pipe.XAdd(ctx, &redis.XAddArgs{
		Stream: key, MaxLen: int64(max(1, keptTraces/len(ids))),
		Values: []string{"trace", trace, "messages", string(messages)},
	})
	pipe.PExpire(ctx, key, tracesFor)
	_, err = pipe.Exec(ctx)
	return storage.Unavailable(err)
}

// TracesOf returns the trace contexts of the pushes that brought messages, by their ids, each once, as
// far as they are known.
func (o *Operator) TracesOf(ctx context.Context, n Name, ids []string) (traces []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	entries, err := o.rdb.XRevRangeN(ctx, o.queues.key(n).Traces(), "+", "-", keptTraces).Result()
	if err != nil {
		return nil, storage.Unavailable(err)
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	for _, e := range entries {
		text, _ := e.Values["messages"].(string)
		trace, _ := e.Values["trace"].(string)
		var messages []string
		if json.Unmarshal([]byte(text), &messages) != nil || slices.Contains(traces, trace) {
			continue
		}
		if slices.ContainsFunc(messages, func(id string) bool { return asked[id] }) {
			traces = append(traces, trace)
		}
	}
	return traces, nil
}

// stateAttributes are what is said of reports with a measurement, made once: phones on version 1
// make up states of their own.
var stateAttributes = func() map[string]metric.MeasurementOption {
	all := make(map[string]metric.MeasurementOption)
	for _, state := range []string{StateSent, StateDelivered, StateFailed, StateExpired, StateRejected, StateUnknown, stateOther} {
		all[state] = metric.WithAttributeSet(attribute.NewSet(attribute.String("state", state)))
	}
	return all
}()

const stateOther = "other"

func bounded(state string) string {
	if _, ok := stateAttributes[state]; ok {
		return state
	}
	return stateOther
}
