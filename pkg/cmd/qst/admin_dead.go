package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
)

func (a *app) deadCommand() *cobra.Command {
	return group("dead", "List, put back and drop dead letters",
		`A message that was delivered max_deliveries times and never confirmed becomes a dead letter,
so that those behind it get their turn (see qst admin channels change --set max_deliveries=…).`,
		a.deadListCommand(), a.deadRequeueCommand(), a.deadDropCommand())
}

func (a *app) deadListCommand() *cobra.Command {
	var e entryFlags
	cmd := &cobra.Command{
		Use:     "list CHANNEL QUEUE",
		Short:   "List the dead letters",
		Long:    `Lists the dead messages of a queue. ID is what requeue and drop take.`,
		Example: `  qst admin dead list phone-1 inbound`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if err := checkMax(e.most); err != nil {
				return err
			}
			columns := []string{"ID", "STORED", "DELIVERED", "FROM", "TO", "MESSAGE"}
			var w messageWriter // without colours: the table makes cells visible
			return writeList(a, c.entryPages(ctx, "dead", args[0], args[1], e), e.most, columns, func(e adminEntry) []string {
				return append([]string{e.ID, when(e.Stored), strconv.FormatInt(e.Deliveries, 10)}, w.cells(e.Message)...)
			})
		}),
	}
	e.flags(cmd)
	return cmd
}

func (a *app) deadRequeueCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "requeue CHANNEL QUEUE {ID… | --all}",
		Short: "Put dead messages back at the end of their queue",
		Long: `Puts dead messages back at the end of their queue, in the order that they are named
or listed in.`,
		Example: `  qst admin dead requeue phone-1 inbound --all`,
		Args:    cobra.MinimumNArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			d := deadMessages{client: c, channel: args[0], queue: args[1], all: all}
			if err := d.find(ctx, args[2:]); err != nil {
				return err
			}
			n, err := d.each(ctx, http.MethodPost, "requeue")
			if err != nil {
				return fmt.Errorf("put back %s; then: %w", countOf(int64(n)), err)
			}
			return a.say(map[string]int{"requeued": n}, "put back %s", countOf(int64(n)))
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all that are dead now")
	return cmd
}

func (a *app) deadDropCommand() *cobra.Command {
	var (
		all   bool
		count int
	)
	cmd := &cobra.Command{
		Use:   "drop CHANNEL QUEUE {ID… | --all}",
		Short: "Drop dead messages for good",
		Long: `Drops dead messages. With --all their number has to be given, as a confirmation: on a
terminal it is asked for, a program gives --count.`,
		Example: `  qst admin dead drop phone-1 inbound 1795422606221-0`,
		Args:    cobra.MinimumNArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			d := deadMessages{client: c, channel: args[0], queue: args[1], all: all}
			if err := d.find(ctx, args[2:]); err != nil {
				return err
			}
			if all {
				if err := a.confirmDrop(ctx, &d, count); err != nil {
					return err
				}
			}
			n, err := d.each(ctx, http.MethodDelete)
			if err != nil {
				return fmt.Errorf("dropped %s; then: %w", countOf(int64(n)), err)
			}
			return a.say(map[string]int{"dropped": n}, "dropped %s", countOf(int64(n)))
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all that are dead now")
	cmd.Flags().IntVar(&count, "count", -1, "with --all: the `number` of dead messages")
	return cmd
}

func (a *app) confirmDrop(ctx context.Context, d *deadMessages, count int) error {
	number := strconv.Itoa(len(d.ids))
	switch {
	case count < 0:
		return a.confirm(ctx, "Dead messages of "+d.queue+" of channel "+d.channel+" that would be dropped: "+number+".", number, "Give --count.")
	case count != len(d.ids):
		return &adminError{status: http.StatusConflict, problem: true, text: fmt.Sprintf("dead letters: %d, not %d; nothing was dropped", len(d.ids), count)}
	default:
		return nil
	}
}

// deadMessages are dead letters.
type deadMessages struct {
	client         *adminClient
	channel, queue string
	all            bool
	ids            []string
}

// find finds out which ones: those of ids, or all that are there now. One that is put
// back and dies again meanwhile does not come twice.
func (d *deadMessages) find(ctx context.Context, ids []string) error {
	if d.all == (len(ids) > 0) {
		return usagef("name the messages by their ids (see qst admin dead list), or give --all")
	}
	if d.ids = ids; !d.all {
		return nil
	}
	for page, err := range d.client.entryPages(ctx, "dead", d.channel, d.queue, entryFlags{}) {
		if err != nil {
			return err
		}
		for _, element := range page {
			var e adminEntry
			if err := understand(element, &e); err != nil {
				return err
			}
			d.ids = append(d.ids, e.ID)
		}
	}
	return nil
}

// each does to each message what a method and the end of a path say, and returns to how
// many. With all, one that is gone by then is none.
func (d *deadMessages) each(ctx context.Context, method string, then ...string) (n int, err error) {
	for _, id := range d.ids {
		path := append([]string{"channels", d.channel, "queues", d.queue, "dead", id}, then...)
		_, err := d.client.call(ctx, method, adminRequest{}, path...)
		if d.all && stopped(err, http.StatusNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
