package qst

// Message is one message on its way between a gateway and an application.
//
// All texts are carried as their sender wrote them. In particular When need
// not be a time and From and To need not be URLs: this hop has no need to
// understand them.
type Message struct {
	ID      string // name the sender gave the message; the service fills in a UUID if it has none
	From    string // sender's address, such as "sms://838383"
	To      string // recipient's address
	When    string // time of sending, RFC 3339 by convention
	Subject string
	Body    string

	// Present tells a field that is there but empty from one that is not
	// there: <subject/> comes out as it went in, and when="" is carried as it
	// came rather than filled in. A field with text counts as present whether
	// or not its bit is set; decoders set bits of empty fields only.
	Present Fields

	// Properties are the custom properties in the order they came. Names
	// may repeat (XML keeps a, b, a apart), but none is the name of a field:
	// a receiver refuses such a message.
	Properties []Property
}

// Fields is a set of message fields.
type Fields uint8

// The fields of a message.
const (
	FieldID Fields = 1 << iota
	FieldFrom
	FieldTo
	FieldWhen
	FieldSubject
	FieldBody
)

// Has reports whether every field of f is in the set.
func (s Fields) Has(f Fields) bool { return s&f == f }

// Has reports whether every field of f is in the message, be it with text or
// present and empty.
func (m *Message) Has(f Fields) bool {
	s := m.Present
	for i := range fieldNames {
		if *m.field(i) != "" {
			s |= 1 << i
		}
	}
	return s.Has(f)
}

// Property is a custom property of a message.
type Property struct {
	Name string // may be empty

	// Values holds exactly one value if Array is false, any number otherwise.
	Values []Value

	// Array says that the property was a JSON array, also one of no or one
	// value. In XML a property with several values is written as several
	// <property> elements, and an empty array as nothing.
	Array bool
}

// Value is one value of a property. Its zero value is the empty string.
type Value struct {
	Kind Kind

	// Text is the text of a string, the digits of a number exactly as they
	// were sent ("1.10", "12345678901234567890"), or "true" or "false".
	Text string
}

// Kind is the JSON type of a property's value. Values that came as XML are
// strings.
type Kind uint8

// The kinds of values.
const (
	String Kind = iota
	Number
	Bool
)

// String returns "string", "number" or "boolean".
func (k Kind) String() string {
	switch k {
	case Number:
		return "number"
	case Bool:
		return "boolean"
	default:
		return "string"
	}
}

// The index of a field is its bit in Fields and its place in every output.
const (
	indexID = iota
	indexFrom
	indexTo
	indexWhen
	indexSubject
	indexBody
)

var fieldNames = [...]string{"id", "from", "to", "when", "subject", "body"}

// fieldIndex returns the index of the field called name, or -1.
func fieldIndex(name string) int {
	switch name {
	case "id":
		return indexID
	case "from":
		return indexFrom
	case "to":
		return indexTo
	case "when":
		return indexWhen
	case "subject":
		return indexSubject
	case "body":
		return indexBody
	}
	return -1
}

// field returns the text of the field with index i.
func (m *Message) field(i int) *string {
	switch i {
	case indexID:
		return &m.ID
	case indexFrom:
		return &m.From
	case indexTo:
		return &m.To
	case indexWhen:
		return &m.When
	case indexSubject:
		return &m.Subject
	default:
		return &m.Body
	}
}

// hasIndex reports whether the field with index i is in the message.
func (m *Message) hasIndex(i int) bool {
	return *m.field(i) != "" || m.Present&(1<<i) != 0
}
