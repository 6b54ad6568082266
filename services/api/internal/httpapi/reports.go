package httpapi

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// keepReports keeps what the delivery reports in a gateway's batch say, and joins the push to those of
// the messages they speak of. It is done when the batch is stored: one that was refused is told again.
// If it fails, the push fails, and is told again, too: its messages are duplicates then, and no report is lost.
func (a *API) keepReports(ctx context.Context, n queue.Name, messages []qst.Message) error {
	if n.Kind != queue.Inbound {
		return nil
	}
	states := queue.StatesIn(messages)
	if len(states) == 0 {
		return nil
	}
	if err := a.opts.Operator.AddStates(ctx, n.Channel, states); err != nil {
		return err
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return nil
	}
	ids := make([]string, len(states))
	for i, st := range states {
		ids[i] = st.Message
	}
	traces, err := a.opts.Operator.TracesOf(ctx, queue.Name{Channel: n.Channel, Kind: queue.Outbound}, ids)
	if err != nil {
		a.log.DebugContext(ctx, "reports are not joined to the pushes they speak of", "channel", n.Channel, "error", err)
	}
	for _, link := range telemetry.Links(traces) {
		span.AddLink(link)
	}
	return nil
}

// keepTrace keeps the trace of what is pushed to a gateway, for the reports to come. It is best effort.
func (a *API) keepTrace(ctx context.Context, n queue.Name, traceparent string, messages []qst.Message) {
	if traceparent == "" || n.Kind != queue.Outbound || len(messages) == 0 {
		return
	}
	ids := make([]string, len(messages))
	for i := range messages {
		ids[i] = messages[i].ID
	}
	if err := a.opts.Operator.KeepTrace(ctx, n, traceparent, ids); err != nil {
		a.log.DebugContext(ctx, "reports will not be joined to this push", "channel", n.Channel, "error", err)
	}
}
