package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// smppSMSC is an aggregator, as far as Kannel needs one: SMPP 3.4 over one transceiver. It
// delivers each text at once, but for those to numbers that end in 9.
type smppSMSC struct {
	l net.Listener

	mu    sync.Mutex
	conn  net.Conn
	sent  map[string][]string // by number: the parts
	bound bool
	seq   uint32
}

// SMPP 3.4's commands.
const (
	smppSubmit          = 0x4
	smppDeliver         = 0x5
	smppUnbind          = 0x6
	smppBindTransceiver = 0x9
	smppEnquireLink     = 0x15
	smppResponse        = 0x80000000
)

func startSMPP(t *testing.T) *smppSMSC {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smppSMSC{l: l, sent: map[string][]string{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return s
}

func (s *smppSMSC) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var header [4]uint32 // length, command, status, sequence
		if binary.Read(conn, binary.BigEndian, &header) != nil || header[0] < 16 || header[0] > 1<<16 {
			return
		}
		body := make([]byte, header[0]-16)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		s.mu.Lock()
		s.handle(conn, header[1], header[3], body)
		s.mu.Unlock()
	}
}

func (s *smppSMSC) handle(conn net.Conn, command, seq uint32, body []byte) {
	switch command {
	case smppBindTransceiver:
		write := []byte("smsc\x00")
		s.conn, s.bound = conn, true
		s.write(conn, command|smppResponse, seq, write)
	case smppEnquireLink, smppUnbind:
		s.write(conn, command|smppResponse, seq, nil)
	case smppSubmit:
		from, to, text := readShortMessage(body)
		s.sent[to] = append(s.sent[to], text)
		s.seq++
		id := fmt.Sprint(s.seq)
		s.write(conn, command|smppResponse, seq, []byte(id+"\x00"))
		stat, code := "DELIVRD", "000"
		if strings.HasSuffix(to, "9") {
			stat, code = "EXPIRED", "027"
		}
		s.deliver(to, from, 0x04, 0, []byte("id:"+id+" sub:001 dlvrd:001 submit date:2611260730 done date:2611260730 stat:"+stat+" err:"+code+" text:x"))
	}
}

func (s *smppSMSC) write(conn net.Conn, command, seq uint32, body []byte) {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.BigEndian, [4]uint32{uint32(16 + len(body)), command, 0, seq})
	b.Write(body)
	_, _ = conn.Write(b.Bytes())
}

// deliver sends a deliver_sm: a message, or a receipt if class is 4.
func (s *smppSMSC) deliver(from, to string, class, coding byte, text []byte) {
	body := []byte("\x00\x01\x01" + from + "\x00\x00\x01" + to + "\x00")
	body = append(body, class, 0, 0, 0, 0, 0, 0, coding, 0, byte(len(text)))
	s.seq++
	s.write(s.conn, smppDeliver, s.seq, append(body, text...))
}

// readShortMessage reads a submit_sm.
func readShortMessage(b []byte) (from, to, text string) {
	next := func() string {
		field, rest, _ := bytes.Cut(b, []byte{0})
		b = rest
		return string(field)
	}
	next() // the service
	b = b[2:]
	from = next()
	b = b[2:]
	to = next()
	class := b[0]
	b = b[3:]
	next() // when to deliver
	next() // the validity
	coding, data := b[2], b[5:5+int(b[4])]
	if class&0x40 != 0 {
		data = data[1+int(data[0]):]
	}
	if coding&0x0c == 0x08 {
		return from, to, decodeUTF16(string(data))
	}
	return from, to, string(data)
}

// The recipe for aggregators: the documents' kannel-smpp.conf, with the real Kannel.
func TestGatewayKannelSMPP(t *testing.T) {
	t.Parallel()
	c, s := startChannel(t), startSMPP(t)
	_, port, _ := net.SplitHostPort(s.l.Addr().String())
	k := startKannel(t, c, port, "2775", "kannel-smpp.conf")
	startBridge(t, "gateway", "kannel", "--config", k.config)
	eventually(t.Context(), t, "Kannel's bind", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.bound })
	long := strings.Repeat("សួស្តី 🙂 ", 15)
	msgs := []qst.Message{
		{ID: "khmer", To: "sms://85512000001", Body: "បើក 🙂"},
		{ID: "gsm", To: "sms://85512000002", Body: "Fish and chips 100% +1"},
		{ID: "long", To: "sms://85512000003", Body: long},
		{ID: "expired", To: "sms://85512000009", Body: "too late"},
	}
	if _, err := c.app.Push(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	for _, msg := range msgs[:3] {
		eventually(t.Context(), t, "the report of "+msg.ID, func() bool { _, ok := c.got.status(msg.ID)["delivered"]; return ok })
	}
	eventually(t.Context(), t, "the expiry", func() bool { return c.got.status("expired")["expired"] == "027" })
	s.mu.Lock()
	for _, msg := range msgs {
		if got := s.sent[strings.TrimPrefix(msg.To, "sms://")]; strings.Join(got, "") != msg.Body {
			t.Errorf("%s: %d parts: %q", msg.ID, len(got), got)
		}
	}
	// A message in two parts, and one whole.
	s.deliver("85512000007", "4455", 0x40, 8, append([]byte{5, 0, 3, 7, 2, 1}, "\x17\x87\xd8\x3d"...))
	s.deliver("85512000007", "4455", 0x40, 8, append([]byte{5, 0, 3, 7, 2, 2}, "\xde\x42\x00!"...))
	s.deliver("85512000008", "4455", 0, 0, []byte("plain"))
	s.mu.Unlock()
	eventually(t.Context(), t, "the messages", func() bool { return c.got.received() == 2 })
	for body, from := range map[string]string{"ជ🙂!": "sms://+85512000007", "plain": "sms://+85512000008"} {
		if m, ok := c.got.get(body); !ok || m.From != from || m.To != "sms://4455" {
			t.Errorf("%q: %+v; received %v", body, m, c.got.snapshot())
		}
	}
}
