package main

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// adminQueue is a queue as the admin API tells it.
type adminQueue struct {
	Queue      string     `json:"queue"`
	Messages   int64      `json:"messages"`
	Bytes      int64      `json:"bytes"`
	Delivered  int64      `json:"delivered"`
	Deliveries int64      `json:"deliveries"`
	Dead       int64      `json:"dead"`
	OldestAge  float64    `json:"oldest_age_seconds"`
	Polling    bool       `json:"polling"`
	Pushed     *time.Time `json:"pushed"`
	Pulled     *time.Time `json:"pulled"`
	Confirmed  *time.Time `json:"confirmed"`
}

// adminEntry is a message where it stands in a queue.
type adminEntry struct {
	ID         string          `json:"id"`
	Stored     *time.Time      `json:"stored"`
	Deliveries int64           `json:"deliveries"`
	Message    json.RawMessage `json:"message"`
}

var queueNames = oneOf("inbound", "outbound", "mailbox")

func (a *app) queuesCommand() *cobra.Command {
	return group("queues", "Find, show, look into and purge queues",
		`A gateway's messages wait in inbound for the application, the application's in outbound
for the gateway; mailbox is the queue of the URL without a party.`,
		a.queuesTopCommand(), a.queuesShowCommand(), a.queuesPeekCommand(), a.queuesMessageCommand(),
		a.queuesCancelCommand(), a.queuesPurgeCommand())
}

func (a *app) queuesShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show CHANNEL [QUEUE]",
		Short: "Show how many messages wait, and for how long",
		Long: `Shows a channel's queues. AGE is that of the oldest message, TRIES is how often the
first one was delivered: if it grows and CONFIRMED does not, the client fails at it.

The queues of a channel that does not exist look like empty ones.`,
		Example: `  qst admin queues show phone-1`,
		Args:    cobra.RangeArgs(1, 2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			var list struct {
				Queues []json.RawMessage `json:"queues"`
			}
			var err error
			if len(args) == 2 {
				list.Queues = make([]json.RawMessage, 1)
				list.Queues[0], err = c.call(ctx, http.MethodGet, adminRequest{}, "channels", args[0], "queues", args[1])
			} else {
				err = c.get(ctx, &list, "channels", args[0], "queues")
			}
			if err != nil {
				return err
			}
			columns := []string{"QUEUE", "MESSAGES", "BYTES", "DELIVERED", "TRIES", "DEAD", "AGE", "PUSHED", "PULLED", "CONFIRMED", "POLL"}
			return writeList(a, one(list.Queues), 0, columns, adminQueue.row)
		}),
	}
}

func (q adminQueue) row() []string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	age, poll := "", ""
	if q.Messages > 0 {
		age = time.Duration(q.OldestAge * float64(time.Second)).Round(time.Second).String()
	}
	if q.Polling {
		poll = "waits"
	}
	return []string{
		q.Queue, number(q.Messages), number(q.Bytes), number(q.Delivered), number(q.Deliveries), number(q.Dead),
		age, when(q.Pushed), when(q.Pulled), when(q.Confirmed), poll,
	}
}

// entryFlags say which part of a list of messages is wanted.
type entryFlags struct {
	most  int
	after string
}

func (e *entryFlags) flags(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&e.most, "max", "n", 100, "most messages to list; 0: no limit")
	cmd.Flags().StringVar(&e.after, "after", "", "start behind the message with this `id`")
}

// entryPages gives the messages of a queue ("messages") or the dead letters ("dead").
func (c *adminClient) entryPages(ctx context.Context, list string, channel, queue string, e entryFlags) iter.Seq2[[]json.RawMessage, error] {
	query := url.Values{"limit": {"100"}} // the most there may be
	if e.most > 0 && e.most < 100 {
		query.Set("limit", strconv.Itoa(e.most))
	}
	if e.after != "" {
		query.Set("after", e.after)
	}
	return c.pages(ctx, query, "messages", "channels", channel, "queues", queue, list)
}

func (a *app) queuesPeekCommand() *cobra.Command {
	var e entryFlags
	cmd := &cobra.Command{
		Use:   "peek CHANNEL QUEUE",
		Short: "List the messages in a queue, without taking them",
		Long: `Lists the messages in a queue, the oldest first. ID is where a message stands, not what its
sender called it.`,
		Example: `  qst admin queues peek phone-1 inbound --max 10`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if err := checkMax(e.most); err != nil {
				return err
			}
			columns := []string{"ID", "STORED", "FROM", "TO", "MESSAGE"}
			var w messageWriter // without colours: the table makes cells visible
			return writeList(a, c.entryPages(ctx, "messages", args[0], args[1], e), e.most, columns, func(e adminEntry) []string {
				return append([]string{e.ID, when(e.Stored)}, w.cells(e.Message)...)
			})
		}),
	}
	e.flags(cmd)
	return cmd
}

// cells are a message's cells of a table, without the time that its sender gave it.
func (w *messageWriter) cells(message json.RawMessage) []string {
	msgs, err := qst.Decode(qst.JSON, "", message, qst.NoLimits())
	if err != nil || len(msgs) != 1 {
		return []string{"", "", string(message)}
	}
	return []string{msgs[0].From, msgs[0].To, w.text(&msgs[0])}
}

func (a *app) queuesPurgeCommand() *cobra.Command {
	var count int64
	cmd := &cobra.Command{
		Use:   "purge CHANNEL QUEUE",
		Short: "Drop all messages of a queue",
		Long: `Drops all messages of a queue. Their number has to be given, as a confirmation: on a
terminal it is asked for, a program gives --count. If the queue holds another
number by then, nothing is dropped, and the exit code is 6.`,
		Example: `  qst admin queues purge phone-1 inbound --count 2`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			return a.purge(ctx, c, args[0], args[1], count)
		}),
	}
	cmd.Flags().Int64Var(&count, "count", -1, "the `number` of messages in the queue")
	return cmd
}

func (a *app) purge(ctx context.Context, c *adminClient, channel, queue string, count int64) error {
	if count < 0 {
		var q adminQueue
		if err := c.get(ctx, &q, "channels", channel, "queues", queue); err != nil {
			return err
		}
		count = q.Messages
		number := strconv.FormatInt(count, 10)
		if err := a.confirm(ctx, "Messages in "+queue+" of channel "+channel+" that would be dropped: "+number+".", number, "Give --count."); err != nil {
			return err
		}
	}
	query := url.Values{"count": {strconv.FormatInt(count, 10)}}
	answer, err := c.call(ctx, http.MethodDelete, adminRequest{query: query}, "channels", channel, "queues", queue, "messages")
	if err != nil {
		return err
	}
	return a.say(answer, "dropped %s", countOf(count))
}
