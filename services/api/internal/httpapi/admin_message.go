package httpapi

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// messageTag is the ETag of a message of a live queue: it is another one when the message has been
// delivered, and still another one when it has been again.
func messageTag(m queue.Message) string {
	return `"` + m.ID + "-" + strconv.FormatInt(m.Deliveries, 10) + `"`
}

// findMessage finds the message of a live queue that a path names.
func (a *API) findMessage(c echo.Context) (queue.Name, queue.Message, error) {
	n, err := queueParam(c)
	if err != nil {
		return queue.Name{}, queue.Message{}, err
	}
	id, err := pathParam(c, "id")
	if err != nil {
		return queue.Name{}, queue.Message{}, err
	}
	m, err := a.opts.Operator.Find(c.Request().Context(), n, id)
	return n, m, err
}

// getMessage answers GET …/messages/{id}.
func (a *API) getMessage(c echo.Context) error {
	n, m, err := a.findMessage(c)
	if err != nil {
		return err
	}
	views, err := a.viewEntries(c, n, "messages", []queue.Message{m})
	if err != nil {
		return err
	}
	c.Response().Header()["ETag"] = []string{messageTag(m)}
	return a.answer(c, http.StatusOK, views[0])
}

// cancelMessage answers DELETE …/messages/{id}: it takes the message out of the queue, if it is as the
// operator saw it.
func (a *API) cancelMessage(c echo.Context) error {
	want := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if want == "" {
		return problem{status: http.StatusPreconditionRequired, detail: "If-Match is missing: send the ETag of what you read, or *"}
	}
	n, m, err := a.findMessage(c)
	if err != nil {
		return err
	}
	deliveries := "*"
	if want != "*" {
		if want != messageTag(m) {
			return problem{status: http.StatusPreconditionFailed, detail: "message: it has been delivered meanwhile"}
		}
		deliveries = strconv.FormatInt(m.Deliveries, 10)
	}
	if err := a.opts.Operator.Cancel(c.Request().Context(), n, m.ID, deliveries); err != nil {
		return err
	}
	a.audit(c, "message cancelled", n.Channel, slog.String("queue", string(n.Kind)), slog.String("id", m.ID))
	return c.NoContent(http.StatusNoContent)
}
