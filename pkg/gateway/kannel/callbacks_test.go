package kannel

import (
	"net/url"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]gateway.Event{
		"status=1": {Status: gateway.Delivered, Last: true},
		"status=8": {Status: gateway.Sent},
		"status=16&text=NACK/0x0000000b/Invalid+Destination": {Status: gateway.Rejected, Code: "NACK/0x0000000b/Invalid Destination", Last: true},
		"status=2&text=id:1+stat:EXPIRED+err:027":            {Status: gateway.Expired, Code: "027", Last: true},
		"status=2&text=stat:REJECTD+err:000":                 {Status: gateway.Rejected, Last: true},
		"status=2&text=stat:UNKNOWN":                         {Status: gateway.Unknown, Last: true},
		"status=2&text=stat:UNDELIV+err:001":                 {Status: gateway.Failed, Code: "001", Last: true},
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := event(q); !ok || e != want {
			t.Errorf("%s: %+v, %v", query, e, ok)
		}
	}
	for _, query := range []string{"", "status=4", "status=x"} {
		q, _ := url.ParseQuery(query)
		if e, ok := event(q); ok {
			t.Errorf("%s: %+v", query, e)
		}
	}
}

// Whatever Kannel calls with, the service takes the message.
func FuzzMessage(f *testing.F) {
	f.Add("id=1&from=%2B855&to=4455&at=1795681693&coding=2&udh=&smsc=fake&text=%00i%00n")
	f.Add("coding=0&text=%ff")
	f.Add("udh=%05%00%03%07%02%01&coding=1&text=%01")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		m := message(q)
		if _, err := qst.Decode(qst.JSON, "", qst.AppendJSON(nil, []qst.Message{m}), qst.NoLimits()); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
		_, _ = event(q)
	})
}
