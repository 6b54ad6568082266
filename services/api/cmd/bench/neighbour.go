package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	neighbourTurn  = 2 * time.Second
	neighbourPause = 5 * time.Millisecond // between two of its exchanges
)

// assault is what one credential does to hurt the others: over so many connections, each as fast
// as it is answered. again says what a connection does, over and over; once it fails, another
// connection is made.
type assault struct {
	name, about string
	connections int
	again       func(w *wire) error
}

// assaults are those of the first locked channel's credential; the neighbour is the second's.
func assaults() []assault {
	const path = "/v2/channels/locked-0"
	exchange := func(request []byte) func(*wire) error {
		return func(w *wire) error {
			err := w.exchange(request)
			if w.status == 503 {
				err = nil // it was told to wait, and does not
			}
			return err
		}
	}
	single := authorized(0, post(path, []byte(`{"body":"x"}`)))
	batch := authorized(0, post(path, []byte("["+strings.TrimSuffix(strings.Repeat(`{"body":"`+strings.Repeat("x", 900)+`"},`, 1000), ",")+"]")))
	poll := authorized(0, []byte("GET "+path+"?long-polling=true HTTP/1.1\r\nHost: bench\r\n\r\n"))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(`{"body":"` + strings.Repeat("x", 1<<20-20) + `"}`)) // to memory
	_ = z.Close()
	unfinished := authorized(0, request("POST", path, "application/json\r\nContent-Encoding: gzip", packed.Bytes()))
	unfinished = unfinished[:len(unfinished)-15]
	wrong := bytes.Replace(bytes.Clone(single), basic(0), []byte(base64.StdEncoding.EncodeToString([]byte("bench:a-guess-of-sixteen-letters"))), 1)
	wrong = bytes.Replace(wrong, []byte("locked-0"), []byte("locked-1"), 1)
	return []assault{
		{"singles", "pushes over 64 connections", 64, exchange(single)},
		{"connections", "pushes over 1 024 connections", 1024, exchange(single)},
		{"batches", "pushes of 1 000 messages, 0.9 MB, over 64 connections", 64, exchange(batch)},
		{"polls", "polls of one queue over 512 connections", 512, exchange(poll)},
		{"gzip", "pushes that end early, 1 MB each when decompressed, over 1 000 connections", 1000, func(w *wire) error {
			if _, err := w.conn.Write(unfinished); err != nil {
				return err
			}
			return w.answer() // when the service gives it up
		}},
		{"unread", "answers that are not read, over 400 connections", 400, func(w *wire) error {
			if _, err := w.conn.Write(poll); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return nil
		}},
		{"guesses", "wrong credentials for the neighbour's channel, over 64 connections", 64, func(w *wire) error {
			err := w.exchange(wrong)
			if w.status == 401 || w.status == 503 {
				err = nil
			}
			return err
		}},
	}
}

// basic is the credential of a locked channel, as a request carries it.
func basic(channel int) []byte {
	return []byte(base64.StdEncoding.EncodeToString([]byte(lockedChannel(channel) + ":" + lockedSecret)))
}

// authorized adds the credential of a locked channel to a request.
func authorized(channel int, request []byte) []byte {
	return bytes.Replace(request, []byte("\r\nHost: bench\r\n"), slices.Concat([]byte("\r\nHost: bench\r\nAuthorization: Basic "), basic(channel), []byte("\r\n")), 1)
}

// neighbour measures what the client of one channel notices while another's does its worst. That
// one is a process of its own, which gives way to all others: elsewhere it would have processors of its own.
func (b *bench) neighbour(ctx context.Context) error {
	service := b.contenders[0]
	c, err := startLocked(ctx, b.machine, b.api, service, 2, "GOMEMLIMIT=1228MiB", "GOGC=400") // as the chart has it
	if err != nil {
		return err
	}
	all := []*contender{{name: "nobody", redis: c.redis, server: c.server}}
	for _, a := range assaults() {
		all = append(all, &contender{name: a.name, redis: c.redis, server: c.server})
	}
	turns, err := b.rotate(ctx, all, func(ctx context.Context, who *contender) (t turn, err error) {
		if who.name != "nobody" {
			end, err := b.assault(ctx, who.name, c.public)
			if err != nil {
				return turn{}, err
			}
			defer end()
		}
		return b.visitNeighbour(ctx, who, c.public)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "What a neighbour notices: a push, a pull and a confirmation, %d times a second, while another credential does its worst\n\n", time.Second/neighbourPause)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  \tms p50\tp99\tp99/nobody's\t")
	for i, own := range turns {
		about := ""
		if i > 0 {
			about = assaults()[i-1].about
		}
		fmt.Fprintf(w, "  %s\t%.1f\t%.1f\t%.1f\t%s\n", all[i].name,
			median(of(own, func(t turn) float64 { return micros(t.median) / 1000 })),
			median(of(own, func(t turn) float64 { return micros(t.p99) / 1000 })),
			ratio(own, turns[0], func(t turn) float64 { return float64(t.p99) }), about)
	}
	_ = w.Flush() // to a terminal, or a buffer
	peak, err := c.server.peak()
	fmt.Fprintf(b.out, "\nThe replica had %d MiB at the most.\n\n", peak>>20)
	return err
}

// assault begins one, in a process of its own. end ends it.
func (b *bench) assault(ctx context.Context, name, address string) (end func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", program, "-assault", name+"@"+address) //nolint:gosec // itself
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	select { // until it is under way
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}, nil
}

// assail is the process of an assault: "<name>@<address>". It ends when it is killed.
func assail(ctx context.Context, what string) error {
	name, address, _ := strings.Cut(what, "@")
	i := slices.IndexFunc(assaults(), func(a assault) bool { return a.name == name })
	if i < 0 {
		return fmt.Errorf("there is no assault %q", name)
	}
	a := assaults()[i]
	var g errgroup.Group
	for range a.connections {
		g.Go(func() error {
			for ctx.Err() == nil {
				w, err := dialWire(ctx, address)
				for err == nil {
					err = a.again(w)
				}
				if w != nil {
					_ = w.conn.Close()
				}
				if !errors.Is(err, io.EOF) && w != nil && w.status >= 400 && w.status != 408 && w.status != 503 {
					return fmt.Errorf("%s: %w", name, err) // it does not do what it is to do
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (b *bench) visitNeighbour(ctx context.Context, c *contender, address string) (turn, error) {
	inside, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := dialWire(inside, address)
	if err != nil {
		return turn{}, err
	}
	get := string(authorized(1, []byte("GET /v2/channels/locked-1?format=json HTTP/1.1\r\nHost: bench\r\n\r\n")))
	return measured(ctx, c, func() (n int, took []time.Duration, err error) {
		for end := time.Now().Add(neighbourTurn); time.Now().Before(end); n++ {
			push := authorized(1, post("/v2/channels/locked-1", marked(b.text(n))))
			renumber(push, int(b.ids.Add(1)))
			for _, request := range []string{string(push), get, ""} {
				if request == "" {
					request = strings.Replace(get, "\r\n\r\n", "\r\nIf-None-Match: "+string(w.etag)+"\r\n\r\n", 1)
				}
				start := time.Now()
				if err := w.exchange([]byte(request)); err != nil {
					return n, took, fmt.Errorf("the neighbour: %w", err)
				}
				took = append(took, time.Since(start))
			}
			time.Sleep(neighbourPause)
		}
		return n, took, nil
	})
}
