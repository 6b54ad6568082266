// Package client is QSTv2 for Go programs: it pushes messages into a queue and
// pulls them out of one, so that each arrives and none is handled twice, whatever
// happens to the network, the service or the program in between.
//
// A [Client] stands for one endpoint, the URL at which one party of a channel both
// pushes and pulls:
//
//	c, err := client.New("https://qst.example.org/v2/channels/acme/application",
//		client.WithBasicAuth("acme", password))
//
// # Pushing
//
// [Client.Push] splits what it is given into batches, tries again what may pass,
// and gives each message that has no ID one before the first try, so that the
// service knows a message sent again for the same. That memory is the service's
// deduplication window (10 minutes, unless it is configured otherwise): a push
// that is repeated later than that is a new one. See [WithRetry].
//
// # Pulling
//
// [Client.Pull] is a loop, and the loop's body is the handler: when the body is
// done with a message, the message is handled, and is never seen again. A body
// that leaves the loop by break, return or panic has not handled the message it
// had. What was handled is kept in a [Store]; with a [FileStore] it outlives the
// program. The one message that can come twice is the one whose handler had
// finished when the program died, before the Store had it.
//
// A handler that fails over a message, or kills the program, gets the same message again,
// by itself, when the loop starts again: those before it are confirmed, those after it
// have not been tried with it. So a service that makes dead letters of what was delivered too often
// makes a dead letter of that one.
//
// A queue has one consumer: an ETag confirms all that was delivered up to it, to
// whomever. Two loops on one queue take messages from each other.
//
// # Errors
//
// The protocol has three classes of answers, and so has this package:
// [*RejectedError] (these messages can never be taken), [*EndpointError] (the request
// is not allowed, or the URL is wrong: someone has to change something) and
// [*UnavailableError] (it may pass). Test for them with [errors.As].
//
// # Tracing
//
// Each request is a client span of the OpenTelemetry tracer provider that the program
// has set (otel.SetTracerProvider): "send", "receive" or "settle", with the attributes of
// the semantic conventions for messaging. It carries the trace context of its call in the
// headers that the program's propagator writes (otel.SetTextMapPropagator), so that
// the service's spans belong to the same trace. A program that sets neither pays nothing.
//
// A message carries no trace context to its receiver. The service remembers that of
// the push, and links its spans for the delivery and the confirmation to it.
package client
