package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// queueView is a queue as the admin API shows it.
type queueView struct {
	Queue      queue.Kind `json:"queue"`
	Messages   int64      `json:"messages"`            // delivered or not
	Bytes      int64      `json:"bytes"`               // of their canonical form
	Delivered  int64      `json:"delivered"`           // of the messages: not confirmed yet
	Deliveries int64      `json:"deliveries"`          // of the first one
	Dead       int64      `json:"dead"`                // dead letters
	DeadBytes  int64      `json:"dead_bytes"`          // that these take
	Digests    int64      `json:"digests"`             // of messages that are known for the same
	Oldest     *time.Time `json:"oldest,omitempty"`    // when the first one was stored
	OldestAge  float64    `json:"oldest_age_seconds"`  // 0: there is none
	Polling    bool       `json:"polling"`             // a poll waits now
	Pushed     *time.Time `json:"pushed,omitempty"`    // last
	Pulled     *time.Time `json:"pulled,omitempty"`    // last
	Confirmed  *time.Time `json:"confirmed,omitempty"` // last
}

func viewQueue(kind queue.Kind, s queue.Stats, now time.Time) queueView {
	v := queueView{
		Queue: kind, Messages: s.Messages, Bytes: s.Bytes, Delivered: s.Delivered, Deliveries: s.Deliveries, Dead: s.Dead, DeadBytes: s.DeadBytes, Digests: s.Digests,
		Oldest: someTime(s.Oldest), Polling: s.Waiting,
		Pushed: someTime(s.Pushed), Pulled: someTime(s.Pulled), Confirmed: someTime(s.Confirmed),
	}
	if v.Oldest != nil {
		v.OldestAge = max(0, now.Sub(s.Oldest).Seconds())
	}
	return v
}

// listQueues answers GET …/queues.
func (a *API) listQueues(c echo.Context) error {
	channel, err := channelParam(c)
	if err != nil {
		return err
	}
	stats, err := a.opts.Operator.Stats(c.Request().Context(), channel, queue.Kinds()...)
	if err != nil {
		return err
	}
	views := make([]queueView, len(stats))
	for i, kind := range queue.Kinds() {
		views[i] = viewQueue(kind, stats[i], time.Now())
	}
	return a.answer(c, http.StatusOK, map[string][]queueView{"queues": views})
}

// getQueue answers GET …/queues/{queue}.
func (a *API) getQueue(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	stats, err := a.opts.Operator.Stats(c.Request().Context(), n.Channel, n.Kind)
	if err != nil {
		return err
	}
	return a.answer(c, http.StatusOK, viewQueue(n.Kind, stats[0], time.Now()))
}

// entryView is a message where it stands.
type entryView struct {
	ID         string          `json:"id"`
	Stored     time.Time       `json:"stored"`
	Bytes      int             `json:"bytes"`
	Deliveries int64           `json:"deliveries,omitempty"` // of a dead one
	Attempts   []attemptView   `json:"attempts,omitempty"`   // of a dead one: the last answers that were not confirmed
	Address    string          `json:"address,omitempty"`    // of a dead one: of the client that pulled last
	UserAgent  string          `json:"user_agent,omitempty"` // and how it called itself
	Status     int64           `json:"status,omitempty"`     // that a webhook's receiver refused a dead one with
	Answer     string          `json:"answer,omitempty"`     // and what it said
	Message    json.RawMessage `json:"message"`              // as the protocol's JSON
}

// attemptView is an answer that was not confirmed.
type attemptView struct {
	At       time.Time `json:"at"` // when the client asked again
	Messages int       `json:"messages"`
}

// maxEntries bounds a page of messages, each of which may be 64 KiB.
const maxEntries = 100

func (a *API) entries(c echo.Context, name string, list func(n queue.Name, after string, limit int64) ([]queue.Message, error)) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	after, err := idParam(c.QueryParam("after"))
	if err != nil {
		return err
	}
	limit, err := limitParam(c, maxEntries)
	if err != nil {
		return err
	}
	entries, err := list(n, after, int64(limit))
	if err != nil {
		return err
	}
	page := struct {
		Messages []entryView `json:"messages"`
		Next     string      `json:"next,omitempty"`
	}{}
	if page.Messages, err = a.viewEntries(c, n, name, entries); err != nil {
		return err
	}
	if len(entries) == limit {
		u := *c.Request().URL
		q := u.Query()
		q.Set("after", entries[limit-1].ID)
		page.Next = u.Path + "?" + q.Encode()
	}
	return a.answer(c, http.StatusOK, page)
}

// peek answers GET …/messages.
func (a *API) peek(c echo.Context) error {
	return a.entries(c, "messages", func(n queue.Name, after string, limit int64) ([]queue.Message, error) {
		return a.opts.Operator.Peek(c.Request().Context(), n, after, limit)
	})
}

// listDead answers GET …/dead.
func (a *API) listDead(c echo.Context) error {
	return a.entries(c, "dead", func(n queue.Name, after string, limit int64) ([]queue.Message, error) {
		return a.opts.Operator.Dead(c.Request().Context(), n, after, limit)
	})
}

// purge answers DELETE …/messages?count=N.
func (a *API) purge(c echo.Context) error {
	n, err := queueParam(c)
	if err != nil {
		return err
	}
	v := c.QueryParam("count")
	count, err := strconv.ParseInt(v, 10, 64)
	if err != nil || count < 0 {
		return badParameter("count", v, "the number of messages that the queue holds: purging needs it, as a confirmation")
	}
	held, err := a.opts.Operator.Purge(c.Request().Context(), n, count)
	if errors.Is(err, queue.ErrStale) {
		return problem{status: http.StatusConflict, reason: "conflict", detail: fmt.Sprintf("the queue does not hold %d messages, but %d: nothing was purged", count, held)}
	}
	if err != nil {
		return err
	}
	a.audit(c, "queue purged", n.Channel, slog.String("queue", string(n.Kind)), slog.Int64("messages", held))
	return a.answer(c, http.StatusOK, map[string]int64{"messages": held})
}

// requeue answers POST …/dead/{id}/requeue.
func (a *API) requeue(c echo.Context) error {
	n, id, err := deadParam(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := a.opts.Operator.Requeue(ctx, n, id); err != nil {
		return err
	}
	a.audit(c, "dead message put back", n.Channel, slog.String("queue", string(n.Kind)), slog.String("id", id))
	return c.NoContent(http.StatusNoContent)
}

// dropDead answers DELETE …/dead/{id}.
func (a *API) dropDead(c echo.Context) error {
	n, id, err := deadParam(c)
	if err != nil {
		return err
	}
	if err := a.opts.Operator.DeleteDeadLetter(c.Request().Context(), n, id); err != nil {
		return err
	}
	a.audit(c, "dead message dropped", n.Channel, slog.String("queue", string(n.Kind)), slog.String("id", id))
	return c.NoContent(http.StatusNoContent)
}

func deadParam(c echo.Context) (n queue.Name, id string, err error) {
	if n, err = queueParam(c); err != nil {
		return queue.Name{}, "", err
	}
	id, err = idParam(c.Param("id"))
	return n, id, err
}
