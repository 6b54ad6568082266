package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Bootstrap is what is to exist when the service starts: the content of
// QST_BOOTSTRAP_FILE, YAML or JSON.
type Bootstrap struct {
	Channels []BootstrapChannel `yaml:"channels"`
}

// BootstrapChannel is a channel with its credentials. Each credential has an id
// and a secret: without them, every start would make another one.
type BootstrapChannel struct {
	Channel     `yaml:",inline"`
	Credentials []NewCredential `yaml:"credentials"`
	Webhooks    []NewWebhook    `yaml:"webhooks"` // each with its secret
}

// LoadBootstrap reads a file. Its errors never show a secret.
func LoadBootstrap(file string) (b Bootstrap, err error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it, in the service's configuration
	if err != nil {
		return Bootstrap{}, fmt.Errorf("QST_BOOTSTRAP_FILE: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text)) // JSON is YAML, too
	d.KnownFields(true)
	if err := d.Decode(&b); err != nil && !errors.Is(err, io.EOF) {
		return Bootstrap{}, fmt.Errorf("QST_BOOTSTRAP_FILE %s: %w", file, places(err))
	}
	for i, c := range b.Channels {
		if err := c.validate(); err != nil {
			return Bootstrap{}, fmt.Errorf("QST_BOOTSTRAP_FILE %s: channel %d (%.64q): %w", file, i+1, c.Name, err)
		}
		for j, n := range c.Webhooks {
			var err error
			if n.Secret == "" {
				err = invalid("secret: is needed here")
			} else if n.Queue == "" {
				err = invalid("queue: is missing")
			} else {
				_, _, err = n.complete(nil, true, time.Now()) // whether http: is allowed is said when it is applied
			}
			if err != nil {
				return Bootstrap{}, fmt.Errorf("QST_BOOTSTRAP_FILE %s: channel %s, webhook %d: %w", file, c.Name, j+1, err)
			}
		}
		for j, n := range c.Credentials {
			var err error
			if n.ID == "" || n.Secret == "" {
				err = invalid("id and secret are needed here")
			} else {
				_, _, err = n.complete(c.Name, time.Time{}) // one that has expired is no reason not to start
			}
			if err != nil {
				return Bootstrap{}, fmt.Errorf("QST_BOOTSTRAP_FILE %s: channel %s, credential %d: %w", file, c.Name, j+1, err)
			}
		}
	}
	return b, nil
}

var yamlLine = regexp.MustCompile(`line \d+`)

// places returns where a file is wrong and not what stands there: it may be a
// secret that slipped into the wrong place.
func places(err error) error {
	lines := slices.Compact(yamlLine.FindAllString(err.Error(), -1))
	if len(lines) == 0 {
		return invalid("not YAML or JSON of the form that docs/admin.md shows")
	}
	return invalid("%s: a key that has no place there, or a value of the wrong kind", strings.Join(lines, ", "))
}

// Apply makes what is not there yet. A channel that exists stays as it is, since
// operators may have changed it; a credential is put in the place of one with its
// id, so that a secret is rotated by changing the file; a webhook is put in the place of
// one of its queue, and the secret that was there signs for another day. Any number of replicas may
// do it at the same time. What is there already as the file says is not written again: so a
// replica starts while Redis takes no writes.
func (s *Store) Apply(ctx context.Context, b Bootstrap) error {
	for _, c := range b.Channels {
		r, err := s.Get(ctx, c.Name)
		if errors.Is(err, ErrNotFound) {
			if _, err = s.Create(ctx, c.Channel); err == nil || errors.Is(err, ErrExists) {
				r, err = s.Get(ctx, c.Name)
			}
		}
		if err != nil {
			return fmt.Errorf("bootstrap: %w", err)
		}
		for _, n := range c.Webhooks {
			if err := s.applyWebhook(ctx, c.Name, n); err != nil {
				return fmt.Errorf("bootstrap: channel %s, webhook of %s: %w", c.Name, n.Queue, err)
			}
		}
		for _, n := range c.Credentials {
			if n.Expires != nil && !n.Expires.After(time.Now()) {
				continue // it is of no use any more; if it is there, it has expired there, too
			}
			if r.has(n) {
				continue
			}
			if _, _, err := s.addCredential(ctx, c.Name, n, "put"); err != nil {
				return fmt.Errorf("bootstrap: channel %s, credential %s: %w", c.Name, n.ID, err)
			}
		}
	}
	return nil
}
