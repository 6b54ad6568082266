package app_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A version 1 client that has sent its request, and stops sending, is answered: each time, and whatever it asks.
func TestHalfClosedVersion1(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	const message = `<messages><message id="1"><text>x</text></message></messages>`
	for range 10 {
		for _, request := range []string{
			"POST /v1/acme/qst/incoming HTTP/1.1\r\nContent-Length: " + fmt.Sprint(len(message)) + "\r\n",
			"HEAD /v1/acme/qst/incoming HTTP/1.1\r\n",
			"GET /v1/acme/qst/outgoing HTTP/1.1\r\n",
			"GET /v1/acme/qst/setaddress?address=sms://1 HTTP/1.1\r\n",
			"GET /v1/acme/qst/set_state?guid=1&state=read HTTP/1.1\r\n",
		} {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			text := request + "Host: x\r\nAuthorization: Basic cGhvbmU6c2VjcmV0\r\n\r\n"
			if strings.HasPrefix(request, "POST") {
				text += message
			}
			if _, err := conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil { //nolint:forcetypeassert // of a TCP dialer
				t.Fatal(err)
			}
			method, _, _ := strings.Cut(request, " ")
			answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v %v", request, answer, err)
			}
			_ = answer.Body.Close()
			_ = conn.Close()
		}
	}
}
