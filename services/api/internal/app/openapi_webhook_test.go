package app_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// webhooks is the tour of the webhook of channel c's queue outbound. Its receiver has TLS.
func (c *contract) webhooks(s *redistest.Server, env ...string) {
	c.t.Helper()
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusGone)
	}))
	c.t.Cleanup(receiver.Close)
	ca := filepath.Join(c.t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600); err != nil {
		c.t.Fatal(err)
	}
	path := c.base() + "/c/queues/outbound/webhook"
	c.ask("getWebhook", 404, path, "", bearer)
	c.ask("setWebhook", 200, path, `{"push_url":"`+receiver.URL+`","queue":"outbound","mode":"messages","format":"xml","max_messages":7,"timeout":"5s","user":"u","password":"p","replies":true}`, bearer, typeJSON)
	c.ask("setWebhook", 400, path, `{"push_url":"http://example.com/"}`, bearer, typeJSON)
	c.ask("setWebhook", 413, path, strings.Repeat(" ", 64<<10)+"{}", bearer, typeJSON)
	c.ask("rotateWebhookSecret", 200, path+"/rotate", `{"keep":"1h"}`, bearer, typeJSON)
	c.ask("rotateWebhookSecret", 400, path+"/rotate", `{"secret":"whsec_"}`, bearer, typeJSON)
	c.ask("rotateWebhookSecret", 413, path+"/rotate", strings.Repeat(" ", 64<<10)+"{}", bearer, typeJSON)

	// No certificate that the worker doesn't know is good.
	strict := startWorker(c.t, s.URL(), append(env, "QST_WEBHOOK_ALLOW_HTTP=false")...)
	if a := c.ask("testWebhook", 200, path+"/test", "", bearer); !strings.Contains(a.Body, "certificate") {
		c.t.Errorf("the receiver's certificate is taken: %s", a.Body)
	}
	strict.terminate()
	strict.exitCode()
	startWorker(c.t, s.URL(), append(env, "QST_WEBHOOK_ALLOW_HTTP=false", "SSL_CERT_FILE="+ca)...)
	if a := c.ask("testWebhook", 200, path+"/test", "", bearer); !strings.Contains(a.Body, `"status":410`) {
		c.t.Errorf("the test: %s", a.Body)
	}
	push := parties[1] // the application pushes into outbound
	c.ask(push.push, 200, c.r.URL+push.path, `{"body":"x"}`, push.auth(), typeJSON)
	eventually(c.t, "the webhook has stopped", func() error {
		var w struct{ Delivery struct{ State string } }
		c.decode(do(c.t, "GET", path, "", bearer), &w)
		if w.Delivery.State != "stopped" {
			return errNotYet
		}
		return nil
	})
	c.ask("getWebhook", 200, path, "", bearer)
	c.ask("listWebhooks", 200, c.r.Admin+"/admin/v1/webhooks?limit=1", "", bearer)
	c.ask("listWebhooks", 400, c.r.Admin+"/admin/v1/webhooks?limit=0", "", bearer)
	c.ask("pullAsGateway", 403, c.r.URL+"/v2/channels/c/gateway", "", parties[0].auth())
	c.ask("resumeWebhook", 204, path+"/resume", "", bearer)
	c.ask("deleteWebhook", 204, path, "", bearer)
}
