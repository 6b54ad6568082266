package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Variable describes one variable of the environment, for people.
type Variable struct {
	Name     string // QST_REDIS_URL
	Default  string // as it would be written; empty: none
	Allowed  string // "1 to 1024"
	Desc     string
	Required bool
	Secret   bool // its value is never shown
}

// Variables lists what [Load] reads, in the order of the fields of [Config].
func Variables() []Variable {
	t := reflect.TypeFor[Config]()
	vars := make([]Variable, 0, t.NumField())
	for f := range t.Fields() {
		vars = append(vars, Variable{
			Name:     variableName(f.Name),
			Default:  f.Tag.Get("default"),
			Allowed:  allowed(f),
			Desc:     f.Tag.Get("desc"),
			Required: f.Tag.Get("mandatory") == "true",
			Secret:   f.Type == reflect.TypeFor[Secret](),
		})
	}
	return vars
}

// word is where envconfig's split_words cuts a field's name, as far as the
// names of Config need it: RedisURL is Redis, URL. A test holds the two equal.
var word = regexp.MustCompile(`[A-Z][a-z]+|[A-Z]+`)

func variableName(field string) string {
	return prefix + "_" + strings.ToUpper(strings.Join(word.FindAllString(field, -1), "_"))
}

// allowed says in words what the field's tags say about its values.
func allowed(f reflect.StructField) string {
	if text, ok := f.Tag.Lookup("allowed"); ok {
		return text
	}
	if f.Type.Kind() == reflect.Bool {
		return "true or false"
	}
	text := f.Tag.Get("min") + " to " + f.Tag.Get("max")
	if zero, ok := f.Tag.Lookup("zero"); ok {
		text += "; 0: " + zero
	}
	return text
}

// syntax says how a value is written, to someone who wrote it otherwise. It is
// empty where what is allowed says it.
func syntax(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return " (durations are written as 1.5s, 10m, 1h30m or 14d)"
	case t == reflect.TypeFor[Bytes]():
		return " (sizes are written in bytes, or with KiB, MiB, GiB, KB, MB or GB)"
	case t == reflect.TypeFor[int](), t == reflect.TypeFor[int64]():
		return " (a whole number)"
	default:
		return ""
	}
}

// problem says that the variable's value is not one that is allowed.
func (v Variable) problem(value string) error {
	return v.problemf(value, "must be %s", v.Allowed)
}

func (v Variable) problemf(value, format string, args ...any) error {
	shown := fmt.Sprintf("=%q", value)
	if v.Secret {
		shown = " (its value is not shown)"
	}
	return fmt.Errorf("%s%s: %s", v.Name, shown, fmt.Sprintf(format, args...))
}

// Usage writes what can be configured as plain text, for a terminal. Like the
// usage of package flag, it has no one to tell that it could not.
func Usage(w io.Writer) {
	var text strings.Builder
	text.WriteString("Configured by the environment:\n\n")
	for _, v := range Variables() {
		state := "default " + v.Default
		switch {
		case v.Required:
			state = "required"
		case v.Default == "":
			state = "no default"
		}
		name := v.Name
		if v.Secret {
			name += ", or " + v.Name + fileSuffix + " for a file with it"
		}
		fmt.Fprintf(&text, "  %s (%s)\n%s\n      Allowed: %s\n", name, state, wrap(v.Desc), v.Allowed)
	}
	_, _ = io.WriteString(w, text.String())
}

// wrap breaks a text into indented lines that an 80 column terminal shows whole.
func wrap(text string) string {
	const indent, width = "      ", 80
	var out strings.Builder
	column := width
	for i, w := range strings.Fields(text) {
		if n := len([]rune(w)); column+1+n > width {
			if i > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(indent + w)
			column = len(indent) + n
		} else {
			out.WriteString(" " + w)
			column += 1 + n
		}
	}
	return out.String()
}

// shown writes a field's value as its variable would be written.
func shown(v any) string {
	if level, ok := v.(slog.Level); ok {
		return strings.ToLower(level.String())
	}
	return fmt.Sprint(v)
}
