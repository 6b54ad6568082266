package client

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// identify gives each message without an ID one. A message whose sender gave no
// ID is never a duplicate to the service.
func identify(msgs []qst.Message) {
	for i := range msgs {
		if msgs[i].ID == "" {
			msgs[i].ID = newID()
		}
	}
}

// newID returns a UUID of version 7 (RFC 9562): the time in milliseconds, then
// random bits. That it is unique is due to the 74 random bits alone; the clock may
// say what it likes.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails
	ms := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint16(b[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(b[2:], uint32(ms))
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80

	var s [36]byte
	hex.Encode(s[0:], b[0:4])
	hex.Encode(s[9:], b[4:6])
	hex.Encode(s[14:], b[6:8])
	hex.Encode(s[19:], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
