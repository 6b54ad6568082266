package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/webhook"
)

// adminWebhooks adds the routes of webhooks.
func (a *API) adminWebhooks(g guarded) {
	const one = "/channels/:channel/queues/:queue/webhook"
	g.GET("/webhooks", a.listWebhooks)
	g.GET(one, a.getWebhook)
	g.PUT(one, a.putWebhook)
	g.DELETE(one, a.deleteWebhook)
	g.POST(one+"/rotate", a.rotateWebhook)
	g.POST(one+"/resume", a.resumeWebhook)
	g.POST(one+"/test", a.testWebhook)
}

func (g guarded) PUT(path string, h echo.HandlerFunc) { g.group.PUT(path, h, g.guard) }

// webhookStatus is how a webhook does.
type webhookStatus struct {
	State    string     `json:"state"`           // see webhookState
	Worker   string     `json:"worker"`          // that lives and has the queue; "": none
	Last     *time.Time `json:"last,omitempty"`  // when something was sent last
	Taken    *time.Time `json:"taken,omitempty"` // when something was taken last
	Status   int        `json:"last_status"`     // of the last answer; 0: there was none
	Answer   string     `json:"last_answer,omitempty"`
	Failures int        `json:"failures"` // since something was taken
	NextTry  *time.Time `json:"next_try,omitempty"`
	Stopped  *time.Time `json:"stopped,omitempty"`
	Batch    string     `json:"batch,omitempty"` // webhook-id of what was sent last
}

// webhookState is how a webhook does, in a word.
func webhookState(s webhook.State) string {
	switch {
	case !s.Stopped.IsZero():
		return "stopped" // until an operator resumes it
	case s.Worker == "":
		return "waiting" // no worker has it
	case s.Failures > 0:
		return "failing" // it is tried again
	default:
		return "well"
	}
}

func viewStatus(s webhook.State) webhookStatus {
	return webhookStatus{
		State: webhookState(s), Worker: s.Worker, Last: someTime(s.Last), Taken: someTime(s.Taken), Status: s.Status, Answer: s.Answer,
		Failures: s.Failures, NextTry: someTime(s.NextTry), Stopped: someTime(s.Stopped), Batch: s.Batch,
	}
}

// webhookView is a webhook as the admin API shows it.
type webhookView struct {
	access.Webhook
	Delivery webhookStatus `json:"delivery"`
}

// listWebhooks answers GET /admin/v1/webhooks.
func (a *API) listWebhooks(c echo.Context) error {
	limit, err := limitParam(c, access.MaxPage)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	names, err := a.opts.Webhooks.List(ctx, c.QueryParam("after"), limit)
	if err != nil {
		return err
	}
	states, err := a.opts.Webhooks.Shown(ctx, names...)
	if err != nil {
		return err
	}
	type entry struct {
		Channel  string        `json:"channel"`
		Queue    queue.Kind    `json:"queue"`
		Delivery webhookStatus `json:"delivery"`
	}
	list := struct {
		Webhooks []entry `json:"webhooks"`
		Next     string  `json:"next,omitempty"`
	}{Webhooks: make([]entry, len(names))}
	for i, n := range names {
		list.Webhooks[i] = entry{Channel: n.Channel, Queue: n.Kind, Delivery: viewStatus(states[i])}
	}
	if len(names) == limit {
		u := *c.Request().URL
		q := u.Query()
		q.Set("after", names[limit-1].Channel+":"+string(names[limit-1].Kind))
		list.Next = u.Path + "?" + q.Encode()
	}
	return a.answer(c, http.StatusOK, list)
}

// getWebhook answers GET …/webhook.
func (a *API) getWebhook(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	v, err := a.viewWebhook(c, n)
	if err != nil {
		return err
	}
	return a.answer(c, http.StatusOK, v)
}

func (a *API) viewWebhook(c echo.Context, n queue.Name) (webhookView, error) {
	ctx := c.Request().Context()
	r, err := a.opts.Channels.Get(ctx, n.Channel)
	if err != nil {
		return webhookView{}, err
	}
	w, ok := r.Webhooks[n.Kind]
	if !ok {
		return webhookView{}, problem{status: http.StatusNotFound, detail: "the queue has no webhook"}
	}
	states, err := a.opts.Webhooks.Shown(ctx, n)
	if err != nil {
		return webhookView{}, err
	}
	return webhookView{Webhook: w.Webhook, Delivery: viewStatus(states[0])}, nil
}

// madeWebhook is a webhook with the secret that was made for it.
type madeWebhook struct {
	access.Webhook
	Secret string `json:"secret,omitempty"`
}

// putWebhook answers PUT …/webhook.
func (a *API) putWebhook(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	var body access.NewWebhook
	if err := a.read(c, &body); err != nil {
		return err
	}
	if body.Queue != "" && body.Queue != n.Kind {
		return problem{status: http.StatusBadRequest, detail: "queue: is not the one that the address names"}
	}
	body.Queue = n.Kind
	w, secret, err := a.opts.Channels.PutWebhook(c.Request().Context(), n.Channel, body)
	if err != nil {
		return err
	}
	a.audit(c, "webhook set", n.Channel, slog.String("queue", string(n.Kind)))
	return a.answer(c, http.StatusOK, madeWebhook{w, secret})
}

// deleteWebhook answers DELETE …/webhook.
func (a *API) deleteWebhook(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	if err := a.opts.Channels.DeleteWebhook(c.Request().Context(), n.Channel, n.Kind); err != nil {
		return err
	}
	a.audit(c, "webhook taken away", n.Channel, slog.String("queue", string(n.Kind)))
	return c.NoContent(http.StatusNoContent)
}

// rotateWebhook answers POST …/webhook/rotate.
func (a *API) rotateWebhook(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	var body struct {
		Secret string           `json:"secret"`
		Keep   *access.Duration `json:"keep"`
	}
	if err := a.read(c, &body); err != nil {
		return err
	}
	w, secret, err := a.opts.Channels.RotateWebhook(c.Request().Context(), n.Channel, n.Kind, body.Secret, (*time.Duration)(body.Keep))
	if err != nil {
		return err
	}
	a.audit(c, "webhook's secret rotated", n.Channel, slog.String("queue", string(n.Kind)))
	return a.answer(c, http.StatusOK, madeWebhook{w, secret})
}

// resumeWebhook answers POST …/webhook/resume.
func (a *API) resumeWebhook(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	if err := a.opts.Webhooks.Resume(c.Request().Context(), n); err != nil {
		return err
	}
	a.audit(c, "webhook resumed", n.Channel, slog.String("queue", string(n.Kind)))
	return c.NoContent(http.StatusNoContent)
}

// testPatience is what a worker has to take a test up, beside the time that the receiver may take.
const testPatience = 5 * time.Second

// testWebhook answers POST …/webhook/test: with how the receiver answered.
func (a *API) testWebhook(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	v, err := a.viewWebhook(c, n)
	if err != nil {
		return err
	}
	// A request may be under way to the same receiver: the test comes after it.
	t, err := a.opts.Webhooks.Test(c.Request().Context(), n, testPatience+2*time.Duration(v.Timeout))
	if err != nil {
		return err
	}
	a.audit(c, "webhook tested", n.Channel, slog.String("queue", string(n.Kind)), slog.Int("status", t.Status))
	return a.answer(c, http.StatusOK, t)
}
