package storage

import (
	"errors"
	"fmt"
)

// Reply is what a script returned.
type Reply []any

// errReply is returned for a reply that has not the shape that its script documents: a defect.
var errReply = errors.New("a script's reply is not what its header says")

// Fields reads a reply field by field, in order. The first field that is missing or of another
// type is an error, and so is one too many; see [Fields.Err].
type Fields struct {
	left Reply
	at   int
	err  error
}

// Fields returns the reply's fields.
func (r Reply) Fields() *Fields { return &Fields{left: r} }

func next[T any](f *Fields) (v T) {
	if f.err != nil {
		return v
	}
	if len(f.left) == 0 {
		f.err = fmt.Errorf("%w: field %d is missing", errReply, f.at+1)
		return v
	}
	v, ok := f.left[0].(T)
	if !ok {
		f.err = fmt.Errorf("%w: field %d is a %T, not a %T", errReply, f.at+1, f.left[0], v)
	}
	f.left, f.at = f.left[1:], f.at+1
	return v
}

// Int reads an integer.
func (f *Fields) Int() int64 { return next[int64](f) }

// Text reads a string.
func (f *Fields) Text() string { return next[string](f) }

// List reads a list.
func (f *Fields) List() Reply { return next[[]any](f) }

// More tells whether there is another field.
func (f *Fields) More() bool { return f.err == nil && len(f.left) > 0 }

// Err returns what was wrong with the reply, or with its end: nil if all fields have been
// read and each was what it had to be.
func (f *Fields) Err() error {
	if f.err == nil && len(f.left) > 0 {
		return fmt.Errorf("%w: %d fields too many", errReply, len(f.left))
	}
	return f.err
}

// Ints reads a list of integers.
func (f *Fields) Ints() []int64 { return list[int64](f) }

// Texts reads a list of strings.
func (f *Fields) Texts() []string { return list[string](f) }

func list[T any](f *Fields) []T {
	values := next[[]any](f)
	if len(values) == 0 {
		return nil
	}
	l := make([]T, len(values))
	for i, v := range values {
		var ok bool
		if l[i], ok = v.(T); !ok && f.err == nil {
			f.err = fmt.Errorf("%w: field %d holds a %T", errReply, f.at, v)
		}
	}
	return l
}
