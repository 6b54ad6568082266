package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
)

// modem is a GSM modem at the other end of a TCP connection, as far as SMS Server Tools
// needs one: AT commands of 3GPP TS 27.005 in PDU mode.
type modem struct {
	l net.Listener

	mu      sync.Mutex
	inbox   map[int]string    // PDUs by place
	sent    map[string]string // by number: the text, its parts joined
	counts  map[string]int    // by number: parts
	reports []string          // delivery reports that the network keeps until there is a place
	refs    int
	refuse  map[string]bool // numbers that are refused
}

// places is what the SIM has.
const places = 30

func startModem(t *testing.T) *modem {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &modem{l: l, inbox: map[int]string{}, sent: map[string]string{}, counts: map[string]int{}, refuse: map[string]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return m
}

func (m *modem) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		command, err := in.ReadString('\r')
		if err != nil {
			return
		}
		command = strings.TrimSpace(command)
		answer := m.answer(command)
		if strings.HasPrefix(command, "AT+CMGS=") {
			_, _ = fmt.Fprint(conn, "\r\n> ")
			pdu, err := in.ReadString(0x1a)
			if err != nil {
				return
			}
			answer = m.send(strings.Trim(pdu, "\r\n\x1a "))
		}
		if _, err := fmt.Fprint(conn, answer); err != nil {
			return
		}
	}
}

const ok = "\r\nOK\r\n"

func (m *modem) answer(command string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var place int
	switch {
	case command == "AT+CPIN?":
		return "\r\n+CPIN: READY\r\n" + ok
	case command == "AT+CSQ":
		return "\r\n+CSQ: 20,99\r\n" + ok
	case command == "AT+CREG?":
		return "\r\n+CREG: 0,1\r\n" + ok
	case command == "AT+CPMS?":
		for len(m.reports) > 0 && m.put(m.reports[0]) {
			m.reports = m.reports[1:]
		}
		return fmt.Sprintf("\r\n+CPMS: \"SM\",%d,%d,\"SM\",%d,%d,\"SM\",%d,%d\r\n", len(m.inbox), places, len(m.inbox), places, len(m.inbox), places) + ok
	case strings.HasPrefix(command, "AT+CMGR="):
		_, _ = fmt.Sscanf(command, "AT+CMGR=%d", &place)
		if pdu := m.inbox[place]; pdu != "" {
			return fmt.Sprintf("\r\n+CMGR: 0,,%d\r\n%s\r\n", len(pdu)/2-1, pdu) + ok
		}
		return "\r\n+CMGR: 0,,0\r\n" + ok
	case strings.HasPrefix(command, "AT+CMGD="):
		_, _ = fmt.Sscanf(command, "AT+CMGD=%d", &place)
		delete(m.inbox, place)
	}
	return ok
}

// send takes a text for the network.
func (m *modem) send(pdu string) string {
	b, err := hex.DecodeString(pdu)
	if err != nil {
		return "\r\n+CMS ERROR: 304\r\n"
	}
	to, text, report := readSubmit(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse[to] {
		return "\r\n+CMS ERROR: 38\r\n"
	}
	m.sent[to] += text
	m.counts[to]++
	m.refs = (m.refs + 1) % 256
	if report {
		m.reports = append(m.reports, fmt.Sprintf("0006%02X%s%s%s00", m.refs, addressOf(to), "62116270000000", "62116270000000"))
	}
	return fmt.Sprintf("\r\n+CMGS: %d\r\n", m.refs) + ok
}

// readSubmit reads an SMS-SUBMIT.
func readSubmit(b []byte) (to, text string, report bool) {
	b = b[1+int(b[0]):] // the SMSC
	first, digits := b[0], int(b[2])
	international := b[3]&0x70 == 0x10
	for i := range digits {
		to += string("0123456789"[b[4+i/2]>>(4*(i%2))&0xf])
	}
	if international {
		to = "+" + to
	}
	b = b[4+(digits+1)/2:]
	dcs := b[1]
	b = b[2:]
	if first&0x18 == 0x10 {
		b = b[1:] // validity
	}
	length, b := int(b[0]), b[1:]
	header := 0
	if first&0x40 != 0 {
		header = 1 + int(b[0])
	}
	if dcs&0x0c == 0x08 {
		return to, decodeUTF16(string(b[header:length])), first&0x20 != 0
	}
	return to, unpack(b, (header*8+6)/7, length), first&0x20 != 0
}

const gsmAlphabet = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// unpack reads septets.
func unpack(b []byte, from, to int) string {
	alphabet := []rune(gsmAlphabet)
	escaped := map[byte]rune{10: '\f', 20: '^', 40: '{', 41: '}', 47: '\\', 60: '[', 61: '~', 62: ']', 64: '|', 101: '€'}
	var text strings.Builder
	escape := false
	for i := from; i < to; i++ {
		bit := i * 7
		septet := b[bit/8] >> (bit % 8)
		if bit%8 > 1 && bit/8+1 < len(b) {
			septet |= b[bit/8+1] << (8 - bit%8)
		}
		septet &= 0x7f
		switch {
		case escape:
			text.WriteRune(escaped[septet])
			escape = false
		case septet == 27:
			escape = true
		default:
			text.WriteRune(alphabet[septet])
		}
	}
	return text.String()
}

// put has the SIM receive a PDU, or reports that it has no place for it.
func (m *modem) put(pdu string) bool {
	for place := 1; place <= places; place++ {
		if m.inbox[place] == "" {
			m.inbox[place] = pdu
			return true
		}
	}
	return false
}

// receive has the SIM receive a text, in as many parts as it takes, or reports that it has
// no place for it.
func (m *modem) receive(n int, text string) bool {
	units := utf16.Encode([]rune(text))
	var parts [][]uint16
	for len(units) > 70 || len(parts) > 0 && len(units) > 0 {
		size := min(67, len(units))
		parts, units = append(parts, units[:size]), units[size:]
	}
	if len(parts) == 0 {
		parts = [][]uint16{units}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.inbox)+len(parts) > places {
		return false
	}
	for i, part := range parts {
		var data strings.Builder
		first := "04"
		if len(parts) > 1 {
			first = "44"
			fmt.Fprintf(&data, "050003%02X%02X%02X", n%256, len(parts), i+1)
		}
		for _, unit := range part {
			fmt.Fprintf(&data, "%04X", unit)
		}
		m.put(fmt.Sprintf("00%s%s0008%s%02X%s", first, addressOf(fmt.Sprintf("+85512%06d", n)), "62116270000000", data.Len()/2, data.String()))
	}
	return true
}

// addressOf writes a number as PDUs have it.
func addressOf(number string) string {
	digits, international := strings.CutPrefix(number, "+")
	toa := "81"
	if international {
		toa = "91"
	}
	s := fmt.Sprintf("%02X%s", len(digits), toa)
	if len(digits)%2 == 1 {
		digits += "F"
	}
	for i := 0; i < len(digits); i += 2 {
		s += digits[i+1:i+2] + digits[i:i+1]
	}
	return s
}

// went returns what went to a number, and in how many parts.
func (m *modem) went(to string) (string, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent[to], m.counts[to]
}
