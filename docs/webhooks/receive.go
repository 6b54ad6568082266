// Receives the messages of a webhook: checks the signature, keeps each batch, answers 200.
//
// usage: go run receive.go PORT FILE     with the secret (whsec_...) in WEBHOOK_SECRET
//
// FILE gets a line of JSON for each message.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// good tells whether a body comes from the service, and now: not what somebody recorded.
func good(key []byte, h http.Header, body []byte) bool {
	at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, h.Get("webhook-id")+"."+h.Get("webhook-timestamp")+".")
	mac.Write(body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	// While a secret is rotated there are two signatures.
	for _, signature := range strings.Fields(h.Get("webhook-signature")) {
		if hmac.Equal(want, []byte(signature)) {
			return true
		}
	}
	return false
}

// keep keeps a batch once: if the 200 did not get through, it comes again with the same id.
func keep(file, id string, body []byte) error {
	var messages []json.RawMessage
	if err := json.Unmarshal(body, &messages); err != nil {
		return err
	}
	if last, _ := os.ReadFile(file + ".last"); len(messages) == 0 || string(last) == id {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	var lines bytes.Buffer
	for _, m := range messages {
		lines.Write(append(m, '\n'))
	}
	if _, err := f.Write(lines.Bytes()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.WriteFile(file+".last", []byte(id), 0o600)
}

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(os.Args) != 3 {
		panic("usage: receive PORT FILE, with the secret in WEBHOOK_SECRET")
	}
	var oneAtATime sync.Mutex
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge) // it comes again in halves
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError) // it comes again; without this, it would be a 200
			return
		case !good(key, r.Header, body):
			http.Error(w, "the signature is not good", http.StatusUnauthorized) // the webhook stops, and an operator looks
			return
		}
		oneAtATime.Lock()
		defer oneAtATime.Unlock()
		if err := keep(os.Args[2], r.Header.Get("webhook-id"), body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError) // it comes again
		}
	})))
}
