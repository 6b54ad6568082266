package httpapi

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// admin adds the admin API's routes. openapi.yaml describes each of them; a test
// holds the two equal.
func (a *API) admin(e *echo.Echo) {
	g := guarded{e.Group("/admin/v1"), a.bearer}
	g.GET("/overview", a.overview)
	g.GET("/silent", a.listSilent)
	g.GET("/queues/top", a.topQueues)
	g.GET("/channels", a.listChannels)
	g.POST("/channels", a.createChannel)
	g.GET("/channels/:channel", a.getChannel)
	g.PATCH("/channels/:channel", a.changeChannel)
	g.DELETE("/channels/:channel", a.deleteChannel)

	g.GET("/channels/:channel/credentials", a.listCredentials)
	g.POST("/channels/:channel/credentials", a.createCredential)
	g.DELETE("/channels/:channel/credentials/:id", a.revokeCredential)

	g.GET("/channels/:channel/states", a.listStates)
	g.GET("/channels/:channel/queues", a.listQueues)
	g.GET("/channels/:channel/queues/:queue", a.getQueue)
	g.GET("/channels/:channel/queues/:queue/messages", a.peek)
	g.DELETE("/channels/:channel/queues/:queue/messages", a.purge)
	g.GET("/channels/:channel/queues/:queue/messages/:id", a.getMessage)
	g.DELETE("/channels/:channel/queues/:queue/messages/:id", a.cancelMessage)
	g.GET("/channels/:channel/queues/:queue/dead", a.listDead)
	g.POST("/channels/:channel/queues/:queue/dead/:id/requeue", a.requeue)
	g.DELETE("/channels/:channel/queues/:queue/dead/:id", a.dropDead)
	a.adminWebhooks(g)
}

// guarded adds routes that ask for the token. (Middleware of the group would
// answer 404 where a method is not allowed.)
type guarded struct {
	group *echo.Group
	guard echo.MiddlewareFunc
}

func (g guarded) GET(path string, h echo.HandlerFunc)    { g.group.GET(path, h, g.guard) }
func (g guarded) POST(path string, h echo.HandlerFunc)   { g.group.POST(path, h, g.guard) }
func (g guarded) PATCH(path string, h echo.HandlerFunc)  { g.group.PATCH(path, h, g.guard) }
func (g guarded) DELETE(path string, h echo.HandlerFunc) { g.group.DELETE(path, h, g.guard) }

// bearer lets those in who have QST_ADMIN_TOKEN.
func (a *API) bearer(next echo.HandlerFunc) echo.HandlerFunc {
	want := sha256.Sum256([]byte(a.opts.AdminToken)) // of one length, whatever is sent
	brake := access.NewBrake(guessReporter(guessOfAdmin, a.opts.Metrics, a.log, a.opts.LogRefused))
	return func(c echo.Context) error {
		if refusal := a.opts.ConsoleHosts.Foreign(c.Request()); refusal != "" {
			return problem{status: http.StatusForbidden, detail: refusal}
		}
		scheme, token, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		err := access.ErrUnknown
		if strings.EqualFold(scheme, "Bearer") {
			err = brake.Try(c.Request().Context(), access.Guess{Secret: token, Address: c.RealIP()}, func() (bool, error) {
				got := sha256.Sum256([]byte(token))
				return subtle.ConstantTimeCompare(got[:], want[:]) == 1, nil
			})
		}
		if err != nil && !errors.Is(err, access.ErrUnknown) {
			return err
		}
		if err != nil {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="qst-admin"`)
			return problem{status: http.StatusUnauthorized, detail: "the admin API needs its bearer token (QST_ADMIN_TOKEN)"}
		}
		if a.phase.Load() == starting {
			return errStarting
		}
		return next(c)
	}
}

// adminMaxBytes bounds a body of the admin API: a channel with all its labels is
// a few KiB.
const adminMaxBytes = 64 << 10

// read decodes a request's JSON into v, on top of what v holds. What v doesn't
// have is a problem: a typo must not pass for a setting.
func (a *API) read(c echo.Context, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, adminMaxBytes))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return problem{status: http.StatusBadRequest, detail: "the body: something follows the object"}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the body has more than %d bytes", adminMaxBytes)}
	}
	if errors.Is(err, access.ErrInvalid) {
		return err
	}
	return problem{status: http.StatusBadRequest, detail: "the body: " + jsonProblem(err)}
}

// jsonProblem says what is wrong with JSON in terms of the JSON, not of Go.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON, at byte %d", syntax.Offset)
	case errors.As(err, &wrongType):
		return fmt.Sprintf("%q can't be a JSON %s", wrongType.Field, wrongType.Value)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return strings.TrimPrefix(err.Error(), "json: ")
	default:
		return "not as documented"
	}
}

// answer writes v as JSON.
func (a *API) answer(c echo.Context, status int, v any) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	a.send(c, status, body.Bytes())
	return nil
}

// channelParam returns the channel that a path names.
func channelParam(c echo.Context) (string, error) {
	name, err := pathParam(c, "channel")
	if err != nil || !access.ChannelName.MatchString(name) {
		return "", errChannelName
	}
	return name, nil
}

// queueParam returns the queue that a path names.
func queueParam(c echo.Context) (queue.Name, error) {
	channel, err := channelParam(c)
	if err != nil {
		return queue.Name{}, err
	}
	for _, kind := range queue.Kinds() {
		if c.Param("queue") == string(kind) {
			return queue.Name{Channel: channel, Kind: kind}, nil
		}
	}
	return queue.Name{}, problem{status: http.StatusNotFound, detail: `a channel has the queues "inbound", "outbound" and "mailbox"`}
}

// idParam returns the stream id that a path or a query names; "" stays "".
func idParam(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	id, err := qst.ParseStreamID(value)
	if err != nil {
		return "", problem{status: http.StatusBadRequest, detail: fmt.Sprintf("id: %.64q is not one of a message in a queue", value)}
	}
	return id.String(), nil
}

// limitParam returns how many of a list are asked for.
func limitParam(c echo.Context, most int) (int, error) {
	const usual = 100
	v := c.QueryParam("limit")
	if v == "" {
		return min(usual, most), nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		return 0, badParameter("limit", v, fmt.Sprintf("1 to %d", most))
	}
	return n, nil
}

// revisionTag is the ETag of a channel's record.
func revisionTag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// ifMatch returns the revision that a change is made from. Without one, two
// operators could overwrite each other unawares.
func ifMatch(c echo.Context, current int64) error {
	v := c.Request().Header.Get("If-Match")
	if v == "" {
		return problem{status: http.StatusPreconditionRequired, detail: "If-Match is missing: send the ETag of what you read, or *"}
	}
	for tag := range strings.SplitSeq(v, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == revisionTag(current) {
			return nil
		}
	}
	return fmt.Errorf("channel: %w", access.ErrStale)
}
