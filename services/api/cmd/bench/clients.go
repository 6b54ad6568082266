package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// client is how a contender is spoken to over HTTP: the same for all.
type client struct {
	base string
	http *http.Client
	wire *atomic.Int64 // bytes over its connections, both ways
	// locked: the service asks for the channel's credential.
	locked bool
}

func newClient(base string) client {
	wire := new(atomic.Int64)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return counted{c, wire}, err
	}
	return client{
		base: base, wire: wire,
		http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 10_000, DisableCompression: true}},
	}
}

// bytes is how many went over its connections so far; 0 without a client.
func (c client) bytes() int64 {
	if c.wire == nil {
		return 0
	}
	return c.wire.Load()
}

// counted is a connection whose bytes are counted.
type counted struct {
	net.Conn
	wire *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.Add(int64(n))
	return n, err
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.Add(int64(n))
	return n, err
}

// ask sends a request and returns an answer with status 200 to 299.
func (c client) ask(ctx context.Context, method, path, body string, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // for the error only
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return resp, nil
}

// get is ask, with the answer read to its end.
func (c client) get(ctx context.Context, method, path, body string, header http.Header) (http.Header, string, error) {
	resp, err := c.ask(ctx, method, path, body, header)
	if err != nil {
		return nil, "", err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp.Header, string(text), err
}

// untilReady waits until the service serves.
func (c client) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		_, _, err := c.pull(ctx, lockedChannel(0), "")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func message(id, text string) qst.Message {
	return qst.Message{ID: id, From: "sms://85512345678", To: "sms://2020", Body: text}
}

func (c client) servicePush(ctx context.Context, channel, id, text string) error {
	body := string(qst.AppendJSON(nil, []qst.Message{message(id, text)}))
	_, _, err := c.get(ctx, http.MethodPost, "/v2/channels/"+channel, body, http.Header{"Content-Type": {"application/json"}})
	return err
}

func (c client) servicePoll(ctx context.Context, channel string, got func()) error {
	etag := ""
	for {
		h, text, err := c.get(ctx, http.MethodGet, "/v2/channels/"+channel+"?format=json&long-polling=true&etag="+url.QueryEscape(etag), "", nil)
		if err != nil {
			return err
		}
		if text != "[]" {
			got()
		}
		etag = h.Get("ETag")
	}
}

func (c client) nchanPush(ctx context.Context, channel, _, text string) error {
	_, _, err := c.get(ctx, http.MethodPost, "/push?id="+channel, text, nil)
	return err
}

func (c client) nchanPoll(ctx context.Context, channel string, got func()) error {
	next := http.Header{}
	for {
		h, _, err := c.get(ctx, http.MethodGet, "/poll?id="+channel, "", next)
		if err != nil {
			return err
		}
		got()
		next = http.Header{"If-Modified-Since": h["Last-Modified"], "If-None-Match": h["Etag"]}
	}
}

func (c client) webdisPush(ctx context.Context, channel, _, text string) error {
	_, _, err := c.get(ctx, http.MethodPut, "/RPUSH/"+channel, text, nil)
	return err
}

func (c client) webdisPublish(ctx context.Context, channel, _, text string) error {
	_, _, err := c.get(ctx, http.MethodPut, "/PUBLISH/"+channel, text, nil)
	return err
}

func (c client) webdisSubscribe(ctx context.Context, channel string, got func()) error {
	resp, err := c.ask(ctx, http.MethodGet, "/SUBSCRIBE/"+channel, "", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	// {"SUBSCRIBE":["message","channel","…"]}, one after the other without a line end.
	r := bufio.NewReader(resp.Body)
	for {
		part, err := r.ReadString('}')
		if err != nil {
			return err
		}
		if strings.Contains(part, `["message"`) {
			got()
		}
	}
}
