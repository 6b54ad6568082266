package queue

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// Kind tells a channel's queues apart; see "URLs" in the protocol.
type Kind string

// The queues that a channel can have.
const (
	Inbound  Kind = "inbound"  // from the gateway to the application
	Outbound Kind = "outbound" // from the application to the gateway
	Mailbox  Kind = "mailbox"  // the one-queue case
)

// Kinds lists the queues that a channel can have.
func Kinds() []Kind { return []Kind{Inbound, Outbound, Mailbox} }

// Name names one queue of one channel.
//
// The caller has checked the channel: none of its characters is a colon or a brace, so
// that a key can be taken apart again and the hash tag is the only one in it.
type Name struct {
	Channel string
	Kind    Kind
}

// attributes of measurements, made once.
var attributes = map[Kind]metric.MeasurementOption{
	Inbound:  metric.WithAttributeSet(attribute.NewSet(telemetry.Queue(Inbound))),
	Outbound: metric.WithAttributeSet(attribute.NewSet(telemetry.Queue(Outbound))),
	Mailbox:  metric.WithAttributeSet(attribute.NewSet(telemetry.Queue(Mailbox))),
}

// Attribute is what is said of a queue with a measurement: its kind, and never its channel.
func (k Kind) Attribute() metric.MeasurementOption {
	if a, ok := attributes[k]; ok {
		return a
	}
	return metric.WithAttributes() // not a queue
}

func (n Name) attribute() metric.MeasurementOption { return n.Kind.Attribute() }
