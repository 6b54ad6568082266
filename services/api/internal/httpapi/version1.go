package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// Phones in the field speak version 1 of QST: two URLs, bare ids of messages for
// ETags, no long polling. The same queues answer them; a phone is the gateway of
// the channel {account}.{user}. See "Version 1 clients" in the protocol, and
// pkg/conformance/version1 for what their programs send and can't bear.

const version1Path = "/v1/"

// version1Max is how many messages an answer has when the client names no number:
// more overflow the array of a phone that is out there.
const version1Max = 10

// phone is a version 1 client that has been let in.
type phone struct {
	channel      string
	call         queue.Caller
	reportStates bool
}

// version1 answers everything below /v1/.
func (a *API) version1(c echo.Context) error {
	// A phone may stop sending (shutdown of one direction) and wait for its answer. net/http takes that
	// for a client that has gone; here nothing is held, so it is answered in any case.
	r := c.Request().WithContext(context.WithoutCancel(c.Request().Context()))
	c.SetRequest(r)
	account, action, err := parseVersion1(r.URL)
	if err != nil {
		return err
	}
	ev := eventOf(c)
	ev.counted, ev.endpoint = true, access.Gateway
	handlers, ok := map[string]map[string]func(echo.Context, phone) error{
		"incoming":   {http.MethodPost: a.version1Push, http.MethodHead: a.version1Last, http.MethodGet: a.version1Last},
		"outgoing":   {http.MethodGet: a.version1Pull, http.MethodPost: a.version1Pull, http.MethodHead: a.version1Look},
		"setaddress": {http.MethodGet: a.version1Address},
		"set_state":  {http.MethodGet: a.version1State},
	}[action]
	if !ok {
		return problem{status: http.StatusNotFound, detail: `there are "incoming", "outgoing", "setaddress" and "set_state"`}
	}
	ev.route = "/v1/{account}/qst/" + action // one of four: whoever asks chooses no more
	handle, ok := handlers[r.Method]
	if !ok {
		c.Response().Header().Set("Allow", version1Allowed[action])
		return echo.ErrMethodNotAllowed
	}
	user, _, _ := r.BasicAuth()
	p := phone{channel: account + "." + user}
	if user == "" || !access.ChannelName.MatchString(p.channel) {
		return access.ErrMissing // without a user, and with one that no channel has, there is nothing to look up
	}
	ev.channel = p.channel
	if a.phase.Load() == starting {
		return errStarting
	}
	right := access.Pull
	if action == "incoming" {
		right = access.Push
	}
	var settings access.Settings
	if p.call, settings, err = a.admit(c, p.channel, access.Gateway, right); err != nil {
		return err
	}
	if err := a.begin(c, p.channel); err != nil {
		return err
	}
	defer a.end(c, p.channel)
	p.reportStates = settings.ReportStates != nil && *settings.ReportStates
	return handle(c, p)
}

// version1Allowed are the methods of each action, for 405.
var version1Allowed = map[string]string{
	"incoming": "GET, HEAD, POST", "outgoing": "GET, HEAD, POST", "setaddress": "GET", "set_state": "GET",
}

// parseVersion1 takes /v1/{account}/qst/{action} apart; paths may end in ".xml". There
// may be more than one "/" in a row: phones join the URL that somebody typed, perhaps
// with one at its end, and "/incoming".
func parseVersion1(u *url.URL) (account, action string, err error) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), version1Path), "/")
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	if len(parts) != 3 || parts[1] != "qst" { //nolint:mnd // account, qst, action
		return "", "", echo.ErrNotFound
	}
	if account, err = url.PathUnescape(parts[0]); err != nil {
		return "", "", errChannelName
	}
	return account, strings.TrimSuffix(parts[2], ".xml"), nil
}

func (p phone) queue(kind queue.Kind) queue.Name { return queue.Name{Channel: p.channel, Kind: kind} }

// setBareETag sets the id of a message as the ETag, as it is: a quoted or weak one
// would have a phone send its messages for ever.
func setBareETag(c echo.Context, id string) {
	if id = headerText(id); id != "" {
		c.Response().Header()["ETag"] = []string{id}
	}
}

// headerText drops what no header can carry.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, s)
}

// version1Limits are those of what a phone pushes at once: no more than its channel's queue may hold, as more
// would never fit.
func (a *API) version1Limits(p phone) qst.Limits {
	l := a.opts.Limits
	l.MaxMessages = int(min(int64(l.MaxMessages), p.call.Limits.MaxMessages))
	return l
}

// version1Push answers POST incoming. The ETag says how far what was taken goes: a
// phone that sends more than may be in a batch sends the rest again.
func (a *API) version1Push(c echo.Context, p phone) error {
	body, err := a.body(c)
	if err != nil {
		return err
	}
	ev := eventOf(c)
	ev.queue, ev.in = queue.Inbound, len(body)
	// Whatever its Content-Type, if it has one at all: version 1 is XML.
	_, charset, err := qst.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil {
		charset = ""
	}
	var messages []qst.Message
	if err := a.compute(c.Request().Context(), p.channel, len(body), func() (err error) {
		messages, err = qst.DecodeVersion1(charset, body, a.version1Limits(p))
		return err
	}); err != nil {
		return err
	}
	if len(messages) == 0 {
		return a.version1Last(c, p)
	}
	if ev.pushed, err = a.enqueue(c, p.queue(queue.Inbound), p.call, messages); err != nil {
		return err
	}
	setBareETag(c, messages[len(messages)-1].ID)
	return a.version1Answer(c, nil)
}

// version1Last answers HEAD and GET incoming: what was pushed last.
func (a *API) version1Last(c echo.Context, p phone) error {
	eventOf(c).queue = queue.Inbound
	id, err := a.opts.Operator.LastPushed(c.Request().Context(), p.queue(queue.Inbound))
	if err != nil {
		return err
	}
	setBareETag(c, id)
	return a.version1Answer(c, nil)
}

// version1Pull answers GET and POST outgoing. Always 200: 304 and 204 break phones.
func (a *API) version1Pull(c echo.Context, p phone) error {
	r := c.Request()
	ev := eventOf(c)
	ev.queue = queue.Outbound
	n := p.queue(queue.Outbound)
	request := queue.Request{Max: version1Max}
	last := bareETag(r.Header.Get("If-None-Match"))
	request.Processed = queue.UpToMessage(last, version1Start(last))
	if n, err := strconv.Atoi(c.QueryParam("max")); err == nil && n > 0 {
		request.Max = min(n, maxPullMessages)
	}
	if r.Method == http.MethodPost {
		if err := a.version1Report(c, p); err != nil {
			// What the phone has processed is confirmed all the same: that makes room.
			request.Max = 0
			d, pullErr := a.opts.Queues.Pull(r.Context(), n, p.call, request)
			ev.confirmed = d.Confirmed
			return errors.Join(err, pullErr)
		}
	}
	d, err := a.opts.Queues.Pull(r.Context(), n, p.call, request)
	if err != nil {
		return err
	}
	var messages []qst.Message
	var body []byte
	if err := a.answerOf(c, n, p.call, d, qst.XML, func() (err error) {
		messages, err = a.version1Messages(c, p, d)
		body = qst.AppendVersion1(nil, messages, last, time.Now())
		return err
	}); err != nil {
		return err
	}
	ev.outcome, ev.delivered, ev.again, ev.confirmed = "empty", len(messages), min(d.Redelivered, len(messages)), d.Confirmed
	if n := len(messages); n > 0 {
		ev.outcome = "messages"
		setBareETag(c, qst.Version1ID(messages[n-1].ID, last))
	}
	return a.version1Answer(c, body)
}

// version1Look answers HEAD outgoing: that there is such a URL, and the credentials are
// good. It reads nothing and confirms nothing, as HEAD is safe.
func (a *API) version1Look(c echo.Context, _ phone) error {
	eventOf(c).queue = queue.Outbound
	return a.version1Answer(c, nil)
}

// version1Messages returns a delivery's messages, up to the second of one id: the rest comes with
// the next answer. The desktop gateway keeps messages under their ids. Given two of one id it
// keeps what is before the second, sends that, confirms nothing, and is given it again.
func (a *API) version1Messages(c echo.Context, p phone, d queue.Delivery) ([]qst.Message, error) {
	messages := make([]qst.Message, 0, len(d.Payloads))
	ids := make(map[string]bool, len(d.Payloads))
	for i, payload := range d.Payloads {
		m, err := qst.DecodeCanonical([]byte(payload))
		if err != nil {
			return nil, fmt.Errorf("queue %s of channel %s holds what is not a message as the service writes them", queue.Outbound, p.channel)
		}
		if ids[m.ID] {
			a.opts.Queues.GiveBack(c.Request().Context(), p.queue(queue.Outbound), p.call, d, i)
			break
		}
		ids[m.ID] = true
		messages = append(messages, m)
	}
	return messages, nil
}

// version1Start returns how the canonical form of the message begins that a client calls last,
// up to the end of its id.
func version1Start(last string) string {
	if last == "" {
		return ""
	}
	m := qst.Message{ID: qst.ParseVersion1ID(last)}
	return strings.TrimSuffix(string(m.AppendCanonical(nil)), "}")
}

// bareETag takes from an If-None-Match what a library on the way may have put
// around the id of a message.
func bareETag(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimPrefix(s, "W/")
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return s
}

// version1Report reads what a POST outgoing says of messages: it may be nothing.
func (a *API) version1Report(c echo.Context, p phone) error {
	body, err := a.body(c)
	if err != nil {
		return err
	}
	eventOf(c).in = len(body)
	var newest []queue.State
	if err := readReport(body, a.version1Limits(p).MaxMessages, func(states []queue.State) error {
		newest = append(newest, states...)
		newest = append(newest[:0], newest[max(0, len(newest)-queue.KeptStates):]...)
		return a.reportStates(c, p, states)
	}); err != nil || len(newest) == 0 {
		return err
	}
	return a.opts.Operator.AddStates(c.Request().Context(), p.channel, newest)
}

// reportStates prepares what a phone reports of messages, and where the channel is set
// up for it, tells the application in its queue. However many they are: a phone that
// is refused reports them again, and pulls nothing until it is rid of them.
func (a *API) reportStates(c echo.Context, p phone, states []queue.State) error {
	for i := range states {
		states[i].Message = qst.ParseVersion1ID(states[i].Message)
	}
	if !p.reportStates {
		return nil
	}
	return a.tellStates(c, p, states)
}

// tellStates puts what a phone reports of messages into its application's queue.
func (a *API) tellStates(c echo.Context, p phone, states []queue.State) error {
	ctx, ev := c.Request().Context(), eventOf(c)
	batch, err := stateMessages(states)
	if err != nil {
		return err
	}
	// A report waits for its rate, as far as its time goes: one that is refused comes again whole.
	for after := a.rates.take(p.channel, ev.pushRate, len(states)); after > 0; after = a.rates.take(p.channel, ev.pushRate, len(states)) {
		if !a.pause(ctx, ev, after) {
			return overRate(ev.pushRate, after)
		}
	}
	_, err = a.opts.Queues.Push(ctx, p.queue(queue.Inbound), p.call, batch)
	return err
}

// version1Address answers GET setaddress: the address that the phone has.
func (a *API) version1Address(c echo.Context, p phone) error {
	address := c.QueryParam("address")
	if address == "" {
		return badParameter("address", address, "the phone's address")
	}
	// Phones and the desktop gateway do not encode their number's plus, which then reads as a
	// space.
	if number, ok := strings.CutPrefix(strings.TrimPrefix(address, "sms://"), " "); ok {
		address = strings.TrimSuffix(address, " "+number) + "+" + number
	}
	if err := a.opts.Operator.SetAddress(c.Request().Context(), p.channel, address); err != nil {
		return err
	}
	return a.version1Answer(c, nil)
}

// version1State answers GET set_state: what became of a message.
func (a *API) version1State(c echo.Context, p phone) error {
	guid, state := c.QueryParam("guid"), c.QueryParam("state")
	if guid == "" || state == "" {
		return problem{status: http.StatusBadRequest, detail: `parameters "guid" and "state" are needed`}
	}
	states := []queue.State{{Message: guid, State: state}}
	if err := a.reportStates(c, p, states); err != nil {
		return err
	}
	if err := a.opts.Operator.AddStates(c.Request().Context(), p.channel, states); err != nil {
		return err
	}
	return a.version1Answer(c, nil)
}

// version1Answer answers 200, with a body that may be empty.
func (a *API) version1Answer(c echo.Context, body []byte) error {
	h := c.Response().Header()
	h.Set("Content-Type", qst.XML.MediaType())
	h.Set("Cache-Control", "no-store")
	eventOf(c).out = len(body)
	a.send(c, http.StatusOK, body)
	return nil
}
