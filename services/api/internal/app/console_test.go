package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// makeChannels makes so many channels.
func makeChannels(t *testing.T, r *replica, n int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error {
			body := fmt.Sprintf(`{"name":"site-%02d.phone-%05d","labels":{"site":"%02[1]d"}}`, i%97, i)
			a, err := try(t.Context(), client, "POST", r.Admin+"/admin/v1/channels", body, bearer)
			if err == nil && a.Status != http.StatusCreated {
				err = fmt.Errorf("%d %s", a.Status, a.Body)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// An operator's way through the console, in a browser: a stuck channel among ten thousand, what
// waits there, a dead letter requeued, a credential rotated.
func TestConsole(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"north-office.phone","note":"Nokia, north office","labels":{"site":"north","owner":"ជាតិ"},"settings":{"max_deliveries":1}}`)
	phone, _ := credential(t, r, "north-office.phone", `{"id":"phone-2025","endpoint":"gateway","user":"north","note":"on its second SIM"}`)
	application, _ := credential(t, r, "north-office.phone", `{"id":"app","endpoint":"application"}`)
	path := r.URL + "/v2/channels/north-office.phone"
	eventually(t, "the credentials are known", func() error {
		return status(do(t, "POST", path+"/gateway", `[{"id":"poison","from":"sms://+85512345678","to":"sms://4636","body":"It chokes on this"},
			{"id":"good-1","body":"."},{"id":"good-2","body":"."}]`, phone, typeJSON).Status, http.StatusOK)
	})
	// A client that handles all but the one.
	last := ""
	eventually(t, "the poison is a dead letter, and the rest confirmed", func() error {
		a := do(t, "GET", path+"/application?format=json&max=1"+last, "", application, "User-Agent: ReceiverApp/2.1")
		if last = ""; !strings.Contains(a.Body, "poison") {
			last = "&" + etag(a)
		}
		if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/north-office.phone/queues/inbound", ""); !strings.Contains(a.Body, `"messages":0,`) {
			return errors.New(a.Body)
		}
		return nil
	})
	texts := []string{"តើអ្នកណានៅទីនោះ?", "ሰላም እንደምን ነህ", "مرحبا، متى تصل الحافلة؟", "Clinic opens at 8 tomorrow 👩🏽‍⚕️"}
	for i, text := range texts {
		body, _ := json.Marshal([]map[string]string{{"id": fmt.Sprintf("m-%d", i+1), "from": "sms://+85512345678", "to": "sms://4636", "body": text}})
		do(t, "POST", path+"/gateway", string(body), phone, typeJSON)
	}
	makeChannels(t, r, 10_000)
	for i := range 3 { // others hold messages too, but not for as long
		channel := fmt.Sprintf("site-%02d.phone-%05d", i, i)
		header, _ := credential(t, r, channel, `{"endpoint":"application"}`)
		do(t, "POST", r.URL+"/v2/channels/"+channel+"/application", `[{"to":"sms://1","body":"a"},{"to":"sms://1","body":"b"}]`, header, typeJSON)
	}

	b := startBrowser(t, r)
	b.accessible()
	b.expect("401")
	b.signIn("not-the-token")
	b.see("This is not the token.")
	b.accessible()
	b.expect("")
	b.signIn(adminToken)

	b.see("What is unwell")
	b.see("1 dead letter waits for somebody")
	b.see("10,001")
	b.accessible()
	b.picture("overview")

	b.click("Channels")
	b.see("50 channels")
	b.accessible()
	b.choose("order", "age")
	b.click("Show")
	b.see("Queues of all channels, oldest message first")
	if first := script[string](b, `document.querySelector("tbody tr th").innerText`); first != "north-office.phone" {
		t.Errorf("the oldest is of %q", first)
	}
	b.picture("stuck")
	b.click("north-office.phone")
	b.see("Nokia, north office")
	b.see("ReceiverApp/2.1")
	b.see("minutes are drawn as they pass")
	b.see("From 4 to 4 within") // once it has looked twice
	b.accessible()
	b.picture("channel")

	b.click("Messages")
	b.see("m-1")
	if strings.Contains(b.text(), texts[0]) {
		t.Error("a text is shown that nobody asked for")
	}
	for i := range texts {
		row := fmt.Sprintf(`//tr[td[@data-label="Id"][normalize-space()="m-%d"]]//button`, i+1)
		b.clickAt(row)
		b.see(texts[i])
	}
	b.accessible()
	b.picture("messages")
	var look struct{ Channel, Queue, List string }
	eventually(t, "the look is logged", func() error {
		if !r.log.find("messages looked at", &look) || look.Channel != "north-office.phone" || look.List != "messages" {
			return fmt.Errorf("%+v", look)
		}
		return nil
	})

	b.click("Dead letters")
	b.see("poison")
	b.clickAt(`//input[@type="checkbox"]`)
	b.accessible()
	b.click("Requeue 1…")
	b.fill("confirm", "2")
	b.click("Requeue")
	b.see("nothing was done")
	b.accessible()
	b.fill("confirm", "1")
	b.click("Requeue")
	b.see("1 message put back into inbound.")
	if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/north-office.phone/queues/inbound", ""); !strings.Contains(a.Body, `"messages":5,`) || !strings.Contains(a.Body, `"dead":0,`) {
		t.Errorf("after the requeue: %s", a.Body)
	}

	b.click("Credentials")
	b.see("phone-2025")
	b.accessible()
	b.click("Replace phone-2025")
	b.fill("credential", "phone-2026")
	b.accessible()
	b.click("Make it")
	b.see("The secret is shown this once")
	b.accessible()
	b.picture("credential")
	next := basic("north", script[string](b, `document.getElementById("secret").innerText`))
	if got, want := script[string](b, `document.getElementById("made-url").innerText`), ":8080/v2/channels/north-office.phone/gateway"; !strings.HasSuffix(got, want) {
		t.Errorf("URL %s, want …%s", got, want)
	}
	eventually(t, "the next one works", func() error {
		return status(do(t, "POST", path+"/gateway", `[]`, next, typeJSON).Status, http.StatusOK)
	})
	b.click("I have it")
	b.click("Revoke phone-2025")
	b.fill("confirm", "phone-2025")
	b.click("Revoke")
	b.see("Credential phone-2025 is revoked.")
	eventually(t, "the old one is refused", func() error {
		return status(do(t, "POST", path+"/gateway", `[]`, phone, typeJSON).Status, http.StatusUnauthorized)
	})
	if strings.Contains(script[string](b, `document.documentElement.outerHTML`), "secret\"") {
		t.Error("the secret is still in the page")
	}

	b.click("Settings")
	b.see("max deliveries (default: 0)")
	b.see("retention (default: 336h)")
	b.accessible()
	b.fill("set-max_deliveries", "7")
	b.fill("set-retention", "72h")
	b.click("Save")
	b.see("The channel is changed.")
	if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/north-office.phone", ""); !strings.Contains(a.Body, `"settings":{"retention":"72h0m0s","max_deliveries":7}`) ||
		!strings.Contains(a.Body, `"labels":{"owner":"ជាតិ","site":"north"}`) {
		t.Errorf("after the change: %s", a.Body)
	}

	b.open("#/channels?label=site%3D96&prefix=site-96")
	b.see("50 channels of those asked for")
	b.click("Next page")
	b.see("First page")
	b.accessible()
	b.size(390, 844)
	for hash, words := range map[string]string{
		"#/": "What is unwell", "#/channels?order=age": "Queues of all channels", "#/channel/north-office.phone": "Who uses it",
		"#/channel/north-office.phone/messages": "m-1", "#/channel/north-office.phone/credentials": "phone-2026",
		"#/channel/north-office.phone/settings": "max deliveries", "#/channel/north-office.phone/reports": "reported nothing",
	} {
		b.open(hash)
		b.see(words)
		b.fits()
	}
	b.accessible()
	b.open("#/channel/north-office.phone")
	b.see("Who uses it")
	b.picture("phone")

	b.click("Sign out")
	b.see("Admin token")
	if stored := script[string](b, `JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])`); stored != `[0,0,""]` {
		t.Errorf("the page has stored %s", stored)
	}
	b.unharmed()
	for url := range b.started {
		if strings.Contains(url, adminToken) || strings.Contains(url, "not-the-token") {
			t.Errorf("a secret is in the URL %s", url)
		}
	}
	if strings.Contains(r.log.String(), adminToken) {
		t.Error("the token is in the log")
	}
}
