package config

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Secret is a string that does not show: however it is printed, logged or
// marshalled, it reads "[hidden]", or "" if it is empty. One way remains: fmt
// calls no methods on unexported fields, so don't print a struct that keeps a
// Secret in one.
type Secret string

const hidden = "[hidden]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format hides the secret from every verb of fmt, %x and %q among them.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	// What a formatter's writer reports, fmt itself drops: there is no one to tell.
	_, _ = io.WriteString(f, text)
}

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoding/json and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// fileSuffix behind a secret's name makes the variable that names a file which holds the secret.
const fileSuffix = "_FILE"

// secretMax is more than any secret has.
const secretMax = 64 << 10

// secretFile returns the secret that a file holds, without the line end behind it; "": no file is
// named. Its errors show nothing of what stands in the file.
func secretFile(v Variable) (string, error) {
	file := os.Getenv(v.Name + fileSuffix)
	if file == "" {
		return "", nil
	}
	if os.Getenv(v.Name) != "" {
		return "", fmt.Errorf("%s and %s%s: one of them, not both", v.Name, v.Name, fileSuffix)
	}
	f, err := os.Open(file) //nolint:gosec // the operator names it
	if err != nil {
		return "", fmt.Errorf("%s%s: %w", v.Name, fileSuffix, err)
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, secretMax+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s%s: %w", v.Name, fileSuffix, err)
	case len(text) > secretMax:
		return "", fmt.Errorf("%s%s=%q: larger than any secret", v.Name, fileSuffix, file)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s%s=%q: the file is empty", v.Name, fileSuffix, file)
	}
	return secret, nil
}
