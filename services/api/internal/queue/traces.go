package queue

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// keptTraces is how many traced pushes of a queue are known for the reports to come.
const keptTraces = 1000

// KeepTrace keeps the trace context of a push with the ids of its messages, so that what is reported
// of them can be joined to it.
func (o *Operator) KeepTrace(ctx context.Context, n Name, trace string, ids []string) error {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	messages, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return storage.Unavailable(o.rdb.XAdd(ctx, &redis.XAddArgs{
		Stream: o.queues.key(n).Traces(), MaxLen: keptTraces, Approx: true,
		Values: []string{"trace", trace, "messages", string(messages)},
	}).Err())
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
	for _, e := range entries {
		text, _ := e.Values["messages"].(string)
		trace, _ := e.Values["trace"].(string)
		var messages []string
		if json.Unmarshal([]byte(text), &messages) != nil || slices.Contains(traces, trace) {
			continue
		}
		if slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(messages, id) }) {
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
