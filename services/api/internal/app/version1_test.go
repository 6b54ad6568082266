package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A phone on version 1 with credentials; what it reports of messages reaches the
// operator, and the application where the channel is set up for it.
func TestVersion1States(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone","settings":{"report_states":true}}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/acme.phone/credentials", `{"endpoint":"gateway","user":"phone","secret":"brought-from-the-field"}`)
	app, _ := credential(t, r, "acme.phone", `{"endpoint":"application"}`)
	phone := basic("phone", "brought-from-the-field")
	for _, header := range []string{"X: y", basic("phone", "not-from-the-field-at-all"), basic("other", "brought-from-the-field")} {
		if a := do(t, "GET", r.URL+"/v1/acme/qst/outgoing", "", header); a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %v", header, a)
		}
	}
	for range 2 { // it says it twice: that is no news
		if a := do(t, "POST", r.URL+"/v1/acme/qst/outgoing", `{"confirmed":["m1"],"failed":["m2"]}`, phone); a.Status != http.StatusOK {
			t.Fatal(a)
		}
	}
	do(t, "GET", r.URL+"/v1/acme/qst/setaddress?address=sms://+85512345678", "", phone)
	if a := do(t, "HEAD", r.URL+"/v1/acme/qst/incoming", "", phone); a.Status != http.StatusOK || a.Header.Get("ETag") != "" {
		t.Errorf("the phone has pushed no message, only reports: %v", a)
	}

	got := do(t, "GET", r.URL+"/v2/channels/acme.phone/application?format=json", "", app)
	var told []string
	for _, m := range got.messages(t) {
		told = append(told, fmt.Sprint(m["qst-message"], " ", m["qst-status"]))
	}
	if strings.Join(told, ", ") != "m1 confirmed, m2 failed" {
		t.Errorf("the application is told %v", told)
	}
	var list struct {
		States []struct {
			State string `json:"state"`
		} `json:"states"`
	}
	a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone/states?limit=2", "")
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil || len(list.States) != 2 || list.States[0].State != "failed" {
		t.Errorf("states: %s", a.Body)
	}
	if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone", ""); !strings.Contains(a.Body, `"number":"sms://+85512345678"`) {
		t.Errorf("address: %s", a.Body)
	}
}

// A phone's report makes no message that is larger than a pushed one may be. Where
// the application's queue is full, the phone is told to report again, and only that.
func TestVersion1ReportsAreBounded(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth("QST_QUEUE_MAX_MESSAGES=2")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone","settings":{"report_states":true}}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/acme.phone/credentials", `{"endpoint":"gateway","user":"phone","secret":"brought-from-the-field"}`)
	app, _ := credential(t, r, "acme.phone", `{"endpoint":"application"}`)
	phone := basic("phone", "brought-from-the-field")
	application, outgoing := r.URL+"/v2/channels/acme.phone/application?format=json", r.URL+"/v1/acme/qst/outgoing"

	long := strings.Repeat("A", 255) // and an é does not fit in
	if a := do(t, "POST", outgoing, `{"confirmed":["`+long+strings.Repeat("é", 400_000)+`"]}`, phone); a.Status != http.StatusOK {
		t.Fatal(a.Status, a.Body)
	}
	if a := do(t, "GET", r.URL+"/v1/acme/qst/set_state?guid=m1&state="+strings.Repeat("B", 5000), "", phone); a.Status != http.StatusOK {
		t.Fatal(a.Status, a.Body)
	}
	told := do(t, "GET", application, "", app).messages(t)
	if len(told) != 2 || told[0]["qst-message"] != long || told[1]["qst-status"] != strings.Repeat("B", 256) {
		t.Errorf("the application is told %.1000v", told)
	}
	var list struct {
		States []struct {
			Message string `json:"message"`
			State   string `json:"state"`
		} `json:"states"`
	}
	a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone/states", "")
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil || len(list.States) != 2 ||
		list.States[1].Message != told[0]["qst-message"] || list.States[0].State != told[1]["qst-status"] {
		t.Errorf("the operator reads %.1000s", a.Body)
	}

	if a := do(t, "POST", r.URL+"/v2/channels/acme.phone/application", `{"id":"m3","body":"x"}`, app, typeJSON); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	for _, test := range []struct {
		method, url, body string
		want              int
	}{
		{"POST", outgoing, `{"confirmed":["m2"]}`, http.StatusServiceUnavailable},
		{"GET", r.URL + "/v1/acme/qst/set_state?guid=m2&state=sent", "", http.StatusServiceUnavailable},
		{"POST", outgoing, "", http.StatusOK},
		{"GET", outgoing, "", http.StatusOK},
	} {
		a := do(t, test.method, test.url, test.body, phone)
		if a.Status != test.want || strings.HasSuffix(test.url, "outgoing") && a.Status == http.StatusOK && a.Header.Get("ETag") != "m3" {
			t.Errorf("%s %s %s: %d %s", test.method, test.url, test.body, a.Status, a.Body)
		}
	}
}

// More than may be in a batch is not refused: a phone would send it again for ever,
// and get nothing else done.
func TestVersion1More(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth("QST_PUSH_MAX_MESSAGES=3")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone","settings":{"report_states":true}}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/acme.phone/credentials", `{"endpoint":"gateway","user":"phone","secret":"brought-from-the-field"}`)
	app, _ := credential(t, r, "acme.phone", `{"endpoint":"application"}`)
	phone := basic("phone", "brought-from-the-field")

	var xml, ids []string
	for i := range 8 {
		ids = append(ids, fmt.Sprint("m", i))
		xml = append(xml, fmt.Sprintf(`<message id="m%d" from="sms://1"><text>%d</text></message>`, i, i))
	}
	for left := len(xml); left > 0; left = max(0, left-3) {
		batch := xml[len(xml)-left:]
		a := do(t, "POST", r.URL+"/v1/acme/qst/incoming", "<messages>"+strings.Join(batch, "")+"</messages>", phone)
		if want := ids[len(xml)-left+min(3, left)-1]; a.Status != http.StatusOK || a.Header.Get("ETag") != want {
			t.Fatalf("%d %s, ETag %q, want %q", a.Status, a.Body, a.Header.Get("ETag"), want)
		}
	}
	report, err := json.Marshal(map[string][]string{"confirmed": ids})
	if err != nil {
		t.Fatal(err)
	}
	if a := do(t, "POST", r.URL+"/v1/acme/qst/outgoing", string(report), phone); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	if a := do(t, "HEAD", r.URL+"/v1/acme/qst/incoming", "", phone); a.Header.Get("ETag") != "m7" {
		t.Errorf("last pushed: %q", a.Header.Get("ETag"))
	}
	var bodies, told []string
	for _, m := range do(t, "GET", r.URL+"/v2/channels/acme.phone/application?format=json", "", app).messages(t) {
		if id := m["qst-message"]; id != nil {
			told = append(told, fmt.Sprint(id))
		} else {
			bodies = append(bodies, fmt.Sprint("m", m["body"]))
		}
	}
	if strings.Join(bodies, " ") != strings.Join(ids, " ") || strings.Join(told, " ") != strings.Join(ids, " ") {
		t.Errorf("messages %v, reports of %v; want %v", bodies, told, ids)
	}
}

// An application that gives every message the same id: each is given, once, and
// what was held back for its id doesn't count as delivered.
func TestVersion1SameID(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		const id = `\"`
		var batch, want, got []string
		for i := range 6 {
			batch = append(batch, fmt.Sprintf(`{"id":"%s","body":"%d"}`, id, i))
			want = append(want, strconv.Itoa(i))
		}
		push(t, a, "/v2/channels/acme.phone/application", "["+strings.Join(batch, ",")+"]")
		last := ""
		for i := range 2 * (len(batch) + 1) { // of every two answers the first is lost
			r := do(t, "GET", []*replica{a, b}[i%2].URL+"/v1/acme/qst/outgoing", "", basic("phone", "x"), "If-None-Match: "+last)
			text, n := r.Body, strings.Count(r.Body, "<message ")
			if i%2 == 0 || n == 0 {
				continue
			}
			if n != 1 || r.Header.Get("ETag") == last {
				t.Fatalf("after %q: %s %s", last, r.Header.Get("ETag"), r.Body)
			}
			last = r.Header.Get("ETag")
			_, text, _ = strings.Cut(text, "<text>")
			text, _, _ = strings.Cut(text, "<")
			got = append(got, text)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("given %v, want %v", got, want)
		}
	}, "QST_MAX_DELIVERIES=2")
}

// A phone that brings more than its channel's queue may hold gets rid of it in parts, messages and
// reports: what does not fit comes again.
func TestVersion1FitsASmallQueue(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone","settings":{"queue_max_messages":10,"report_states":true}}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/acme.phone/credentials", `{"endpoint":"gateway","user":"phone","secret":"brought-from-the-field"}`)
	app, _ := credential(t, r, "acme.phone", `{"endpoint":"application"}`)
	phone := basic("phone", "brought-from-the-field")
	seen, last := map[string]bool{}, ""
	// handle has the application confirm what it was given, and take what is next.
	handle := func() {
		a := do(t, "GET", r.URL+"/v2/channels/acme.phone/application?format=json"+last, "", app)
		for _, m := range a.messages(t) {
			seen[fmt.Sprint(m["id"])] = true
		}
		last = "&" + etag(a)
	}
	const n = 25
	var messages, ids []string
	for i := range n {
		messages = append(messages, fmt.Sprintf(`<message id="in-%d"><text>x</text></message>`, i))
		ids = append(ids, fmt.Sprintf(`"out-%d"`, i))
	}
	for tries := 0; len(messages) > 0; tries++ {
		a := do(t, "POST", r.URL+"/v1/acme/qst/incoming", "<messages>"+strings.Join(messages, "")+"</messages>", phone, "Content-Type: text/xml")
		if a.Status != http.StatusOK || tries > n {
			t.Fatalf("try %d: %v", tries, a)
		}
		taken := a.Header.Get("ETag") // the phone deletes up to there
		for i, m := range messages {
			if strings.Contains(m, `"`+taken+`"`) {
				messages = messages[i+1:]
				break
			}
		}
		handle()
		handle()
	}
	report := `{"confirmed":[` + strings.Join(ids, ",") + `]}`
	for tries := 0; ; tries++ {
		if a := do(t, "POST", r.URL+"/v1/acme/qst/outgoing", report, phone); a.Status == http.StatusOK {
			break
		} else if tries > n {
			t.Fatalf("try %d: %v", tries, a)
		}
		handle()
		handle()
	}
	for range 3 {
		handle()
	}
	if len(seen) != 2*n {
		t.Errorf("the application has seen %d of %d: %v", len(seen), 2*n, seen)
	}
}
