package qst

// A decoder puts what messages are made of into memory that the messages of a batch
// share. To allocate for each would take longer than to decode it.

// room is where a decoder puts a batch's properties and values. Those of a message, or
// of a property, are next to each other and can't grow into what follows.
type room struct {
	properties    []Property // ends with those of the current message
	firstProperty int
	values        []Value // ends with those of the current property
	firstValue    int
}

// Each piece of room is for twice as many as the last, from the fewest, which is as
// many as a message usually has, to the most, which is little for whoever keeps one
// message of a batch to keep with it.
const (
	fewestInRoom = 4
	maxInRoom    = 64
)

// beginMessage makes what is added next belong to another message.
func (r *room) beginMessage() { r.firstProperty = len(r.properties) }

// beginProperty makes what is added next belong to another property.
func (r *room) beginProperty() { r.firstValue = len(r.values) }

// addValue adds a value to the current property.
func (r *room) addValue(v Value) {
	if len(r.values) == cap(r.values) {
		r.values = moreRoom(r.values, r.firstValue)
		r.firstValue = 0
	}
	r.values = append(r.values, v)
}

// addProperty adds the current property, with its values, to m, the current message.
func (r *room) addProperty(m *Message, p Property) {
	if n := len(r.values); n > r.firstValue {
		p.Values = r.values[r.firstValue:n:n]
	}
	if len(r.properties) == cap(r.properties) {
		r.properties = moreRoom(r.properties, r.firstProperty)
		r.firstProperty = 0
	}
	r.properties = append(r.properties, p)
	m.Properties = r.properties[r.firstProperty:len(r.properties):len(r.properties)]
}

// moreRoom returns new room that begins with what is in full from index first on.
func moreRoom[T any](full []T, first int) []T {
	n := max(fewestInRoom, min(2*cap(full), maxInRoom), 2*(len(full)-first))
	return append(make([]T, 0, n), full[first:]...)
}

// addMessage adds a message to msgs, of which the next begins at pos. It takes the
// messages to come to be as long as those before, so that even a long batch is
// copied rarely.
func (s *scanner) addMessage(msgs []Message) []Message {
	n := len(msgs)
	if n < cap(msgs) {
		return append(msgs, Message{})
	}
	room := 1 // most batches have one
	if n > 0 {
		const sample = 16 // messages that tell how long the others are
		expected := int(float64(n) * float64(len(s.data)) / float64(s.pos))
		room = min(expected+expected/8, max(n*n, sample), s.limits.MaxMessages)
	}
	room = max(room, n+1+n/4)
	return append(append(make([]Message, 0, room), msgs...), Message{})
}
