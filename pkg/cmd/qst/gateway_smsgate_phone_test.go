package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// send has the phone send a text: it enters its states one after the other. "Failed: reason" has a reason.
func (s *smsgateStandIn) send(m *standInText) {
	names := map[string]string{"Sent": "sms:sent", "Delivered": "sms:delivered", "Failed": "sms:failed", "Cancelled": "sms:cancelled"}
	for _, next := range s.become(*m) {
		state, reason, _ := strings.Cut(next, ": ")
		s.mu.Lock()
		m.enter(state)
		m.reason = reason
		if state == "Sent" {
			m.times++
		}
		at := m.states[state]
		s.mu.Unlock()
		if name, ok := names[state]; ok {
			payload := map[string]any{"messageId": m.ID, "recipient": m.PhoneNumbers[0], "phoneNumber": m.PhoneNumbers[0], "simNumber": nil, strings.ToLower(state) + "At": at}
			if reason != "" {
				payload["reason"] = reason
			}
			s.call(name, payload)
		}
	}
}

// receive has the phone receive a message.
func (s *smsgateStandIn) receive(from, text string) {
	at := time.Now().Format("2006-01-02T15:04:05.000-07:00")
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(from+at+text)))[:8]
	s.mu.Lock()
	s.inbox = append(s.inbox, standInMessage{ID: "text:" + id, Type: "SMS", Sender: from, SimNumber: 1, Preview: text, CreatedAt: at})
	s.mu.Unlock()
	s.call("sms:received", map[string]any{"messageId": id, "sender": from, "phoneNumber": from, "recipient": nil, "simNumber": 1, "message": text, "receivedAt": at})
}

// call calls the webhooks of an event, as often as it takes, or until it gives up.
func (s *smsgateStandIn) call(event string, payload any) {
	s.mu.Lock()
	var hooks []standInHook
	for _, h := range s.hooks {
		if h.Event == event {
			hooks = append(hooks, h)
		}
	}
	s.mu.Unlock()
	for _, h := range hooks {
		how := s.losses()
		if how == lost {
			continue
		}
		body, err := json.Marshal(map[string]any{"id": strconv.FormatUint(rand.Uint64(), 36), "webhookId": h.ID, "deviceId": "phone-1", "event": event, "payload": payload})
		if err != nil {
			s.t.Error(err)
			return
		}
		s.working.Go(func() {
			pause := 50 * time.Millisecond
			for range 5 {
				if s.post(h.URL, body, s.key, time.Now()) == http.StatusOK {
					if how == twice {
						s.post(h.URL, body, s.key, time.Now())
					}
					return
				}
				select {
				case <-s.phone.Done():
					return
				case <-time.After(pause):
				}
				pause *= 2
			}
		})
	}
}

// post makes a signed request, and returns its answer's status, 0 if there was none.
func (s *smsgateStandIn) post(url string, body []byte, key string, at time.Time) int {
	ctx, cancel := context.WithTimeout(s.phone, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%s%s", body, timestamp)
	if key != "" {
		r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
		r.Header.Set("X-Timestamp", timestamp)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// sent returns the texts that the phone has sent, by number.
func (s *smsgateStandIn) sent() map[string]standInText {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]standInText{}
	for _, m := range s.texts {
		all[m.PhoneNumbers[0]] = *m
	}
	return all
}

// started tells whether a bridge has begun to keep what the phone receives.
func (s *smsgateStandIn) started(c *channel) func() bool {
	return func() bool { _, err := os.Stat(filepath.Join(c.state, "received")); return err == nil }
}
