package qst

import (
	"math"
	"strconv"
)

// Result is the answer to a push that was taken.
type Result struct {
	Accepted   int // messages that were stored
	Duplicates int // messages that were not, being stored already
}

// AppendResult appends a result in format f:
// {"accepted":2,"duplicates":1} or <result accepted="2" duplicates="1"/>.
func AppendResult(dst []byte, f Format, r Result) []byte {
	if f == JSON {
		dst = append(dst, `{"accepted":`...)
		dst = strconv.AppendInt(dst, int64(r.Accepted), 10)
		dst = append(dst, `,"duplicates":`...)
		dst = strconv.AppendInt(dst, int64(r.Duplicates), 10)
		return append(dst, '}')
	}
	dst = append(dst, `<result accepted="`...)
	dst = strconv.AppendInt(dst, int64(r.Accepted), 10)
	dst = append(dst, `" duplicates="`...)
	dst = strconv.AppendInt(dst, int64(r.Duplicates), 10)
	return append(dst, `"/>`...)
}

// DecodeResult is the inverse of [AppendResult]. Both numbers must be there.
// Further attributes, and further keys that hold no objects, are passed over:
// a later version of the protocol may have more to say. Its errors are
// ErrMalformed, or ErrUnsupportedType for an unknown charset.
func DecodeResult(f Format, body []byte) (Result, error) {
	if f == JSON {
		return decodeJSONResult(body)
	}
	return decodeXMLResult(body)
}

// resultNumbers collects the numbers of a result.
type resultNumbers struct {
	Result
	accepted, duplicates bool // which ones were there
}

// set sets what is called name, if it is a number of the result.
func (r *resultNumbers) set(s *scanner, name, text string) error {
	number, seen := &r.Accepted, &r.accepted
	switch name {
	case "accepted":
	case "duplicates":
		number, seen = &r.Duplicates, &r.duplicates
	default:
		return nil
	}
	if *seen {
		return s.refuse("the result has %q twice", name)
	}
	*seen = true
	n, ok := parseDecimal(text)
	if !ok || n > math.MaxInt {
		return s.refuse("%q of the result is not a count", name)
	}
	*number = int(n)
	return nil
}

func (r *resultNumbers) result(s *scanner) (Result, error) {
	if !r.accepted || !r.duplicates {
		return Result{}, s.refuse("the result lacks \"accepted\" or \"duplicates\"")
	}
	return r.Result, nil
}

func decodeXMLResult(body []byte) (Result, error) {
	d, err := newXMLDecoder("", body, false)
	if err != nil {
		return Result{}, err
	}
	root, err := d.root()
	if err != nil {
		return Result{}, err
	}
	if root != "result" {
		return Result{}, d.refuse("the root element is %s, not <result>", quote(root))
	}
	var numbers resultNumbers
	for {
		name, end, err := d.attribute("result")
		if err != nil {
			return Result{}, err
		}
		if end == tagOpen {
			if err := d.emptyContent("result"); err != nil {
				return Result{}, err
			}
		}
		if end != attributeFound {
			break
		}
		value, err := d.attributeValue()
		if err != nil {
			return Result{}, err
		}
		if err := numbers.set(&d.scanner, string(name), string(value)); err != nil {
			return Result{}, err
		}
	}
	if err := d.end(); err != nil {
		return Result{}, err
	}
	return numbers.result(&d.scanner)
}

// decodeJSONResult reads the object as if it were a message whose properties
// are the result's numbers.
func decodeJSONResult(body []byte) (Result, error) {
	var d jsonDecoder
	d.init(body)
	d.limits = Limits{}.orDefault()
	d.space()
	var m Message
	if err := d.object(&m); err != nil {
		return Result{}, err
	}
	if err := d.end(); err != nil {
		return Result{}, err
	}
	var numbers resultNumbers
	for _, p := range m.Properties {
		v := Value{}
		if !p.Array {
			v = p.Values[0]
		}
		if v.Kind != Number {
			v.Text = ""
		}
		if err := numbers.set(&d.scanner, p.Name, v.Text); err != nil {
			return Result{}, err
		}
	}
	return numbers.result(&d.scanner)
}
