package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
)

func (a *app) queuesMessageCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "message CHANNEL QUEUE ID",
		Short: "Show one message that waits",
		Long: `Shows one message of a queue, without taking it. ID is where it stands (see qst admin
queues peek), or the id that its sender gave it. TRIES is how often it was delivered.`,
		Example: `  qst admin queues message phone-1 outbound order-17`,
		Args:    cobra.ExactArgs(3), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			answer, err := c.call(ctx, http.MethodGet, adminRequest{}, messagePath(args)...)
			if err != nil {
				return err
			}
			return writeList(a, one([]json.RawMessage{answer}), 0, []string{"ID", "STORED", "TRIES", "BYTES"}, func(e waitingEntry) []string {
				return []string{e.ID, when(e.Stored), strconv.FormatInt(e.Deliveries, 10), strconv.FormatInt(e.Bytes, 10)}
			})
		}),
	}
}

// waitingEntry is a message of a live queue.
type waitingEntry struct {
	adminEntry

	Bytes int64 `json:"bytes"`
}

func (a *app) queuesCancelCommand() *cobra.Command {
	var delivered bool
	cmd := &cobra.Command{
		Use:   "cancel CHANNEL QUEUE ID",
		Short: "Take one message out of a queue",
		Long: `Takes one message out of a queue: nobody is given it, or given it again. ID is as for
qst admin queues message. A message that was delivered already, be it in this moment, is
left alone: its client may have handled it. With --delivered it is taken out all the same.`,
		Example: `  qst admin queues cancel phone-1 outbound order-17`,
		Args:    cobra.ExactArgs(3), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			path := messagePath(args)
			var e waitingEntry
			if err := c.get(ctx, &e, path...); err != nil {
				return err
			}
			tag := "*"
			if !delivered {
				tag = `"` + e.ID + `-0"` // as it is when nobody was given it
			}
			if _, err := c.call(ctx, http.MethodDelete, adminRequest{ifMatch: tag}, path...); err != nil {
				return err
			}
			return a.say(map[string]string{"cancelled": e.ID}, "message %s is cancelled", e.ID)
		}),
	}
	cmd.Flags().BoolVar(&delivered, "delivered", false, "also if it was delivered")
	return cmd
}

func messagePath(args []string) []string {
	return []string{"channels", args[0], "queues", args[1], "messages", args[2]}
}
