package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// stormTexts returns the texts that go each way through a gateway whose bridge is killed.
// QST_TEST_STORM sets how many they are.
func stormTexts(t *testing.T) []string {
	t.Helper()
	n := 150
	if set, err := strconv.Atoi(os.Getenv("QST_TEST_STORM")); err == nil {
		n = set
	}
	return texts(t, n)
}

// gatewayProgram returns a program of an SMS gateway.
func gatewayProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("QST_TEST_GATEWAYS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "bin", "gateways")
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%s is missing: .ci/install gateways gets it, and QST_TEST_GATEWAYS names a folder that has it: %v", name, err)
	}
	return path
}

// texts returns real text messages: in Latin letters, in Khmer, with emoji, long ones.
// Each begins with its own number.
func texts(t *testing.T, n int) []string {
	t.Helper()
	file, err := os.Open("../../../loadtest/data/sms.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	var all []string
	for i := range n {
		if !lines.Scan() {
			t.Fatalf("%d texts: %v", i, lines.Err())
		}
		text := fmt.Sprintf("%d: %s", i, lines.Text())
		switch {
		case i%50 == 7:
			text = strings.Repeat(text+" ", 3) + "end"
		case i%50 == 23:
			text = fmt.Sprintf("%d: %s", i, strings.Repeat("សូមអរគុណសម្រាប់ការទិញ។ ", 8))
		case i%5 == 1:
			text = fmt.Sprintf("%d: សួស្តី តើអ្នកសុខសប្បាយទេ? %d", i, i)
		case i%5 == 3:
			text += " 🙂🇰🇭"
		}
		all = append(all, text)
	}
	return all
}

// daemon runs a gateway's program until the test ends, and shows what it said if the test
// fails.
func daemon(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &said, &said, append(os.Environ(), env...)
	cmd.WaitDelay = time.Second // for children that outlive it
	dieWithTest(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its error is the signal
	}()
	t.Cleanup(func() {
		killWithChildren(cmd)
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", program, tail(said.String()))
		}
	})
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// killBridges runs bridges one after the other, each for a short time and then killed, until
// ctx ends. It returns how often one was killed, and what they said.
func killBridges(ctx context.Context, t *testing.T, shortest, longest time.Duration, args ...string) (kills int, said string) {
	for ctx.Err() == nil {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return kills, ""
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		life := (longest - shortest) * time.Duration(1+kills/10) // so that all comes through, however slow it is
		if kills < 3 {
			life /= 4 // so that some are killed, however fast the machine is
		}
		timer := time.NewTimer(shortest + rand.N(life))
		select {
		case <-timer.C:
			_ = cmd.Process.Kill()
			<-ended //nolint:errcheck // its error is the signal
			kills++
		case err := <-ended:
			if ctx.Err() == nil {
				t.Errorf("the bridge ended by itself: %v\n%s", err, stderr.String())
				return kills, said + stderr.String()
			}
		}
		timer.Stop()
		said += stderr.String()
	}
	return kills, said
}

// startBridge runs a bridge until the test ends or stop is called, which ends it in order.
func startBridge(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	dieWithTest(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("the bridge: %v", err)
			}
			if t.Failed() {
				t.Logf("the bridge said:\n%s", tail(stderr.String()))
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// collector takes what an application is given.
type collector struct {
	mu       sync.Mutex
	texts    map[string]int               // by body
	statuses map[string]map[string]string // by the text's id, then by status: the code
	ids      map[string]int
	first    map[string]qst.Message // by body
}

func newCollector() *collector {
	return &collector{texts: map[string]int{}, statuses: map[string]map[string]string{}, ids: map[string]int{}, first: map[string]qst.Message{}}
}

// run pulls until ctx ends.
func (c *collector) run(ctx context.Context, t *testing.T, url string) {
	for m, err := range newClient(t, url).Pull(ctx, client.PullOptions{}) {
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("pulling: %v", err)
			}
			return
		}
		c.take(m)
	}
}

func (c *collector) take(m qst.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[m.ID]++
	properties := map[string]string{}
	for _, p := range m.Properties {
		properties[p.Name] = p.Values[0].Text
	}
	if id := properties["qst-message"]; id != "" {
		if c.statuses[id] == nil {
			c.statuses[id] = map[string]string{}
		}
		c.statuses[id][properties["qst-status"]] = properties["qst-code"]
		return
	}
	c.texts[m.Body]++
	if c.texts[m.Body] == 1 {
		c.first[m.Body] = m
	}
}

// reported counts the texts that have a status.
func (c *collector) reported(status string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.statuses {
		if _, ok := s[status]; ok {
			n++
		}
	}
	return n
}

func (c *collector) received() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.texts)
}

func (c *collector) get(body string) (qst.Message, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.first[body]
	return m, ok
}

// snapshot returns what was received, for a test that failed.
func (c *collector) snapshot() map[string]qst.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.first)
}

func (c *collector) status(id string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.statuses[id])
}

// wantEach fails the test if one of the texts did not arrive as it was sent, or twice.
func (c *collector) wantEach(t *testing.T, want []string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	doubles := 0
	for i, text := range want {
		switch n := c.texts[text]; {
		case n == 0:
			t.Errorf("text %d did not arrive: %q", i, text)
		case n > 1:
			doubles++
		}
	}
	if doubles > 0 || len(c.texts) != len(want) {
		t.Errorf("%d of %d texts arrived, %d twice", len(c.texts), len(want), doubles)
	}
}

// eventually waits for something, for a minute and a half at most.
func eventually(ctx context.Context, t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// channel is a service with an application, and the tables that each bridge's configuration
// begins with.
type channel struct {
	service *servicetest.Service
	app     *client.Client
	got     *collector
	config  string
	state   string
}

func startChannel(t *testing.T) *channel {
	t.Helper()
	s := service.Start(t, "embedded")
	c := &channel{service: s, app: newClient(t, s.URL("people/application")), got: newCollector(), state: t.TempDir()}
	c.config = fmt.Sprintf("[qst]\nurl = %q\nwait = \"5s\"\n[bridge]\nstate = %q\n", s.URL("people/gateway"), c.state)
	ctx, cancel := context.WithCancel(t.Context())
	var pulling sync.WaitGroup
	pulling.Go(func() { c.got.run(ctx, t, c.app.URL()) })
	t.Cleanup(func() { cancel(); pulling.Wait() })
	return c
}

// push sends texts to numbers that end in the texts' index. Their ids are "out-0" and so on.
func (c *channel) push(t *testing.T, all []string) {
	t.Helper()
	var msgs []qst.Message
	for i, text := range all {
		msgs = append(msgs, qst.Message{ID: fmt.Sprintf("out-%d", i), From: "sms://4455", To: fmt.Sprintf("sms://+8551%06d", i), Body: text})
	}
	if _, err := c.app.Push(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
}

// write writes a file in a new directory, and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// storm runs bridges that are killed until done, and then one that is not until settled.
func storm(t *testing.T, shortest, longest time.Duration, args []string, done func() bool) (said string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	var kills int
	killing.Go(func() { kills, said = killBridges(ctx, t, shortest, longest, args...) })
	defer func() {
		cancel()
		killing.Wait()
		t.Logf("%d bridges were killed", kills)
		if kills < 3 {
			t.Errorf("only %d bridges were killed", kills)
		}
		if t.Failed() {
			t.Logf("the last bridges said:\n%s", tail(said))
		}
	}()
	eventually(ctx, t, "all texts", done)
	cancel()
	killing.Wait()
	return said
}

// progress says how far it has come, for a test that waited in vain.
func (c *collector) progress() string {
	return fmt.Sprintf("%d texts, %d sent, %d delivered, %d failed", c.received(), c.reported("sent"), c.reported("delivered"), c.reported("failed"))
}
