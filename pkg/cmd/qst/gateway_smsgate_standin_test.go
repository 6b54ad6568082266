package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// smsgateStandIn is a phone with SMSGate, as its published OpenAPI and documentation describe it: the
// constraints of the schemas, the states, an ID that is taken once, signed webhooks that are
// repeated until they get a 2xx or are given up, an inbox.
type smsgateStandIn struct {
	t       *testing.T
	url     string
	phone   context.Context //nolint:containedctx // ends with the test
	working sync.WaitGroup

	user, password, key string
	bearer              string // if set, Basic is for /auth/token only

	faults func(at string) fault // of requests
	losses func() loss           // of webhooks
	become func(standInText) []string

	mu     sync.Mutex
	texts  map[string]*standInText
	hooks  map[string]standInHook
	inbox  []standInMessage
	tokens int
}

type fault int

const (
	none          fault = iota
	failsBefore         // 500, and nothing was done
	failsAfter          // 500, and it was done
	cutsAfter           // no answer, and it was done
	limitExceeded       // 503: the queue is full
)

type loss int

const (
	lossless loss = iota
	lost          // it is never called
	twice         // it is called again after a 2xx
)

// standInText has the fields of smsgateway.Message that a text may have.
type standInText struct {
	ID           string   `json:"id"`
	DeviceID     string   `json:"deviceId"`
	PhoneNumbers []string `json:"phoneNumbers"`
	TextMessage  *struct {
		Text string `json:"text"`
	} `json:"textMessage"`
	SimNumber          *int    `json:"simNumber"`
	Priority           int     `json:"priority"`
	TTL                *int    `json:"ttl"`
	ValidUntil         *string `json:"validUntil"`
	WithDeliveryReport *bool   `json:"withDeliveryReport"`

	query  url.Values
	state  string
	reason string
	states map[string]string
	times  int // that the phone has sent it
}

type standInHook struct {
	ID       string  `json:"id"`
	DeviceID *string `json:"deviceId"`
	URL      string  `json:"url"`
	Event    string  `json:"event"`
}

type standInMessage struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Sender    string `json:"sender"`
	Recipient string `json:"recipient,omitempty"`
	SimNumber int    `json:"simNumber,omitempty"`
	Preview   string `json:"contentPreview"`
	CreatedAt string `json:"createdAt"`
}

func startSmsgate(t *testing.T) *smsgateStandIn {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &smsgateStandIn{
		t: t, phone: ctx, user: "sms", password: "secret", key: "sign1234",
		faults: func(string) fault { return none }, losses: func() loss { return lossless },
		become: func(standInText) []string { return []string{"Processed", "Sent", "Delivered"} },
		texts:  map[string]*standInText{}, hooks: map[string]standInHook{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /messages", s.postMessage)
	mux.HandleFunc("GET /messages/{id}", s.getMessage)
	mux.HandleFunc("GET /inbox", s.getInbox)
	mux.HandleFunc("GET /webhooks", func(w http.ResponseWriter, _ *http.Request) {
		all := []standInHook{}
		s.mu.Lock()
		for _, h := range s.hooks {
			all = append(all, h)
		}
		s.mu.Unlock()
		answer(w, http.StatusOK, all)
	})
	mux.HandleFunc("POST /webhooks", s.postWebhook)
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []map[string]string{{"id": "phone-1", "name": "A phone", "lastSeen": "2026-11-26T12:00:00Z"}})
	})
	mux.HandleFunc("POST /auth/token", s.postToken)
	server := httptest.NewServer(s.authenticated(mux))
	s.url = server.URL
	t.Cleanup(func() { cancel(); server.CloseClientConnections(); server.Close(); s.working.Wait() })
	return s
}

// config writes the documents' configuration, for this phone, and returns its path and the bridge's URL.
func (s *smsgateStandIn) config(c *channel, more ...string) (path, bridge string) {
	s.t.Helper()
	content, err := os.ReadFile("../../../docs/gateways/smsgate.toml")
	if err != nil {
		s.t.Fatal(err)
	}
	bridge = "127.0.0.1:" + freePort(s.t)
	replace := []string{
		"https://qst.example.org/v2/channels/people/gateway", c.service.URL("people/gateway"),
		"user = \"people\"", "wait = \"5s\"", "password-file = \"/etc/qst/password\"\n", "",
		"/var/lib/qst-gateway/smsgate", c.state, "127.0.0.1:9465", bridge,
		"http://192.168.1.20:8080", s.url, "CHANGE-ME", s.password, "CHANGEME", s.key, "https://bridge.example.org", "http://" + bridge,
	}
	text := strings.NewReplacer(append(more, replace...)...).Replace(string(content))
	return write(s.t, "smsgate.toml", text+"poll = \"100ms\"\ninbox-every = \"300ms\"\ntimeout = \"5s\"\n"), "http://" + bridge
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // the test fails for what does not arrive
}

func answerError(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"code": status, "message": message})
}

func (s *smsgateStandIn) authenticated(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		s.mu.Lock()
		ok := user == s.user && password == s.password
		if s.bearer != "" && r.URL.Path != "/auth/token" {
			ok = r.Header.Get("Authorization") == "Bearer "+s.bearer
		}
		s.mu.Unlock()
		if !ok {
			answerError(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (s *smsgateStandIn) postToken(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		TTL    int      `json:"ttl"`
		Scopes []string `json:"scopes"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || len(ask.Scopes) == 0 {
		answerError(w, http.StatusBadRequest, "scopes")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	s.bearer = fmt.Sprintf("token-%d", s.tokens)
	answer(w, http.StatusCreated, map[string]any{
		"id": "jti", "token_type": "Bearer", "access_token": s.bearer, "expires_at": time.Now().Add(time.Duration(ask.TTL) * time.Second),
	})
}

// wrong says what the schema smsgateway.Message does not allow.
func (m *standInText) wrong() string {
	switch {
	case len(m.ID) > 36:
		return "id: maxLength 36"
	case len(m.PhoneNumbers) < 1 || len(m.PhoneNumbers) > 100:
		return "phoneNumbers: 1 to 100"
	case m.TextMessage == nil || m.TextMessage.Text == "" || len(m.TextMessage.Text) > 65535:
		return "textMessage.text: 1 to 65535"
	case m.SimNumber != nil && (*m.SimNumber < 1 || *m.SimNumber > 3):
		return "simNumber: 1 to 3"
	case m.TTL != nil && (*m.TTL < 5 || m.ValidUntil != nil):
		return "ttl: at least 5, and conflicts with validUntil"
	case m.DeviceID != "" && m.DeviceID != "phone-1":
		return "Invalid device ID"
	case m.PhoneNumbers[0][0] != '+' && m.query.Get("skipPhoneValidation") != "true":
		return "can't use phone in row 1: invalid phone number"
	}
	if m.ValidUntil != nil {
		if until, err := time.Parse(time.RFC3339, *m.ValidUntil); err != nil || until.Before(time.Now()) {
			return "validUntil: a date-time to come"
		}
	}
	return ""
}

func (s *smsgateStandIn) postMessage(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	m := &standInText{query: r.URL.Query(), state: "Pending", states: map[string]string{}}
	if err := decoder.Decode(m); err != nil {
		answerError(w, http.StatusBadRequest, err.Error())
		return
	}
	f := s.faults("POST /messages")
	if f == failsBefore {
		answerError(w, http.StatusInternalServerError, "failed to handle request")
		return
	}
	if f == limitExceeded {
		answerError(w, http.StatusServiceUnavailable, "queue limits exceeded: too many pending messages")
		return
	}
	if wrong := m.wrong(); wrong != "" {
		answerError(w, http.StatusBadRequest, wrong)
		return
	}
	s.mu.Lock()
	_, had := s.texts[m.ID]
	if !had {
		s.texts[m.ID] = m
		m.enter("Pending")
	}
	s.mu.Unlock()
	if had {
		answerError(w, http.StatusConflict, "Message with the same ID already exists")
		return
	}
	s.working.Go(func() { s.send(m) })
	switch f {
	case cutsAfter:
		panic(http.ErrAbortHandler)
	case failsAfter:
		answerError(w, http.StatusInternalServerError, "failed to handle request")
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(w, http.StatusAccepted, m.asState())
	}
}

func (m *standInText) enter(state string) {
	m.state = state
	if m.states[state] == "" {
		m.states[state] = time.Now().Format("2006-01-02T15:04:05.000-07:00")
	}
}

func (m *standInText) asState() map[string]any {
	recipient := map[string]string{"phoneNumber": m.PhoneNumbers[0], "state": m.state}
	if m.reason != "" {
		recipient["error"] = m.reason
	}
	return map[string]any{
		"id": m.ID, "deviceId": "phone-1", "state": m.state, "isHashed": false, "isEncrypted": false,
		"createdAt": m.states["Pending"], "states": m.states, "recipients": []map[string]string{recipient},
	}
}

func (s *smsgateStandIn) getMessage(w http.ResponseWriter, r *http.Request) {
	if s.faults("GET /messages") == failsBefore {
		answerError(w, http.StatusInternalServerError, "failed to get message state")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.texts[r.PathValue("id")]
	if !ok {
		answerError(w, http.StatusNotFound, "message not found")
		return
	}
	answer(w, http.StatusOK, m.asState())
}

func (s *smsgateStandIn) getInbox(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, errLimit := strconv.Atoi(q.Get("limit"))
	offset, _ := strconv.Atoi(q.Get("offset"))
	from, errFrom := time.Parse(time.RFC3339, q.Get("from"))
	if errLimit != nil || limit < 1 || limit > 500 || offset < 0 || q.Get("from") != "" && errFrom != nil {
		answerError(w, http.StatusBadRequest, "limit, offset, from")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []standInMessage{}
	for _, m := range s.inbox {
		if at, _ := time.Parse(time.RFC3339, m.CreatedAt); m.Type == q.Get("type") && !at.Before(from) {
			found = append(found, m)
		}
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	found = found[min(offset, len(found)):]
	answer(w, http.StatusOK, found[:min(limit, len(found))])
}

func (s *smsgateStandIn) postWebhook(w http.ResponseWriter, r *http.Request) {
	var h standInHook
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil || len(h.ID) > 36 || !strings.HasPrefix(h.Event, "sms:") {
		answerError(w, http.StatusBadRequest, "Unsupported event")
		return
	}
	if u, err := url.Parse(h.URL); err != nil || u.Scheme != "https" && u.Hostname() != "127.0.0.1" {
		answerError(w, http.StatusBadRequest, "url must start with https:// or http://127.0.0.1")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks[h.ID] = h
	answer(w, http.StatusCreated, h)
}
