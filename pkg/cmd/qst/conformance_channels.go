package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// madeChannels makes channels through the admin API, and deletes them.
type madeChannels struct {
	admin *adminClient

	mu    sync.Mutex
	names []string
}

func (m *madeChannels) grant(ctx context.Context, c conformance.Channel) (conformance.Logins, error) {
	body := map[string]any{"name": c.Name, "note": "made by qst conformance"}
	if c.Reports {
		body["settings"] = map[string]any{"report_states": true}
	}
	if _, err := m.admin.call(ctx, http.MethodPost, adminRequest{body: body}, "channels"); err != nil {
		return conformance.Logins{}, err
	}
	m.mu.Lock()
	m.names = append(m.names, c.Name)
	m.mu.Unlock()
	var l conformance.Logins
	for endpoint, secret := range map[string]*string{"gateway": &l.Gateway, "application": &l.Application, "mailbox": &l.Mailbox} {
		answer, err := m.admin.call(ctx, http.MethodPost, adminRequest{body: map[string]any{"endpoint": endpoint, "user": c.User}}, "channels", c.Name, "credentials")
		if err != nil {
			return l, err
		}
		var made adminCredential
		if err := understand(answer, &made); err != nil {
			return l, err
		}
		*secret = made.Secret
	}
	return l, nil
}

// removeTimeout bounds the deletion of all channels, also of a call that was interrupted.
const removeTimeout = 2 * time.Minute

func (m *madeChannels) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	names := make(chan string)
	var workers sync.WaitGroup
	var mu sync.Mutex
	var failed []string
	var last error
	for range 8 {
		workers.Go(func() {
			for name := range names {
				if _, err := m.admin.call(ctx, http.MethodDelete, adminRequest{ifMatch: "*"}, "channels", name); err != nil {
					mu.Lock()
					failed, last = append(failed, name), err
					mu.Unlock()
				}
			}
		})
	}
	for _, name := range m.names {
		names <- name
	}
	close(names)
	workers.Wait()
	if last != nil {
		return fmt.Errorf("%d channels that were made could not be deleted, %s for one: %w", len(failed), failed[0], last)
	}
	return nil
}
