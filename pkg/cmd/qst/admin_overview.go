package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// adminOverview is how the service is, as the admin API tells it.
type adminOverview struct {
	Version   string  `json:"version"`
	Status    string  `json:"status"`
	Detail    string  `json:"detail"`
	Messages  int64   `json:"messages"`
	Bytes     int64   `json:"bytes"`
	Dead      int64   `json:"dead"`
	OldestAge float64 `json:"oldest_age_seconds"`
	Channels  int64   `json:"channels"`
	Active    []struct {
		Within   float64 `json:"within_seconds"`
		Channels int64   `json:"channels"`
	} `json:"active"`
	Replicas []struct {
		Replica string `json:"replica"`
		Polls   int64  `json:"polls"`
	} `json:"replicas"`
	Redis []struct {
		Address string `json:"address"`
		Used    int64  `json:"used_bytes"`
		Max     int64  `json:"max_bytes"`
	} `json:"redis"`
	Auth string `json:"auth"`
}

// adminTopQueue is a queue of any channel.
type adminTopQueue struct {
	Channel string `json:"channel"`
	adminQueue
}

// adminSilent is a channel that fell silent.
type adminSilent struct {
	Channel  string     `json:"channel"`
	LastSeen *time.Time `json:"last_seen"`
	Silent   float64    `json:"silent_seconds"`
}

func (a *app) overviewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "overview",
		Short: "Show how the service is as a whole",
		Long: `Shows how much waits in all queues and for how long, which replicas hold how many polls,
and how much memory Redis uses.`,
		Example: `  qst admin overview`,
		Args:    cobra.NoArgs,
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, _ []string) error {
			answer, err := c.call(ctx, http.MethodGet, adminRequest{}, "overview")
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.writeJSON(answer)
			}
			var o adminOverview
			if err := understand(answer, &o); err != nil {
				return err
			}
			return a.writeFields(o.fields()...)
		}),
	}
}

func (o adminOverview) fields() []field {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	status := o.Status
	if o.Detail != "" {
		status += ": " + o.Detail
	}
	var active, replicas, redis []string
	for _, a := range o.Active {
		active = append(active, fmt.Sprintf("%d within %s", a.Channels, ageText(a.Within)))
	}
	for _, r := range o.Replicas {
		replicas = append(replicas, fmt.Sprintf("%s (%d polls)", r.Replica, r.Polls))
	}
	for _, r := range o.Redis {
		limit := ", without a limit"
		if r.Max > 0 {
			limit = " of " + number(r.Max)
		}
		redis = append(redis, fmt.Sprintf("%s: %d bytes%s", r.Address, r.Used, limit))
	}
	oldest := ""
	if o.Messages > 0 {
		oldest = ageText(o.OldestAge)
	}
	return []field{
		{"service", status}, {"version", o.Version}, {"credentials", o.Auth}, {"messages", number(o.Messages)}, {"bytes", number(o.Bytes)},
		{"oldest", oldest}, {"dead", number(o.Dead)}, {"channels", number(o.Channels)}, {"active", strings.Join(active, ", ")},
		{"replicas", strings.Join(replicas, ", ")}, {"redis", strings.Join(redis, ", ")},
	}
}

// ageText writes a number of seconds as a duration.
func ageText(n float64) string {
	text := time.Duration(n * float64(time.Second)).Round(time.Second).String()
	if short, found := strings.CutSuffix(text, "m0s"); found { // 15m0s is 15m, and 1h0m0s is 1h
		text = short + "m"
		if short, found = strings.CutSuffix(text, "h0m"); found {
			text = short + "h"
		}
	}
	return text
}

// maxTop is the most that the admin API lists.
const maxTop = 100

func checkTop(n int) error {
	if n < 1 || n > maxTop {
		return usagef("--max is %d: it can be 1 to %d", n, maxTop)
	}
	return nil
}

func (a *app) queuesTopCommand() *cobra.Command {
	var (
		by    string
		limit int
	)
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Find the queues of all channels that are stuck",
		Long: `Lists the queues of all channels whose oldest message waits longest (--by age), that hold
most messages (--by depth) or have most dead letters (--by dead).`,
		Example: `  qst admin queues top
  qst admin queues top --by dead --max 5`,
		Args: cobra.NoArgs,
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, _ []string) error {
			if err := checkTop(limit); err != nil {
				return err
			}
			query := url.Values{"by": {by}, "limit": {strconv.Itoa(limit)}}
			elements, _, err := c.page(ctx, query, "queues", "queues", "top")
			if err != nil {
				return err
			}
			columns := []string{"CHANNEL", "QUEUE", "MESSAGES", "BYTES", "DELIVERED", "TRIES", "DEAD", "AGE", "PUSHED", "PULLED", "CONFIRMED", "POLL"}
			return writeList(a, one(elements), 0, columns, func(q adminTopQueue) []string {
				return append([]string{q.Channel}, q.row()...)
			})
		}),
	}
	cmd.Flags().StringVar(&by, "by", "age", "what comes first: age, depth or dead")
	cmd.Flags().IntVarP(&limit, "max", "n", 20, "most queues to list, 1 to 100")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{"age", "depth", "dead"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return cmd
}

func (a *app) channelsSilentCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "silent",
		Short: "Find channels that fell silent",
		Long: `Lists the channels that no client has pushed into or pulled from for longest, the longest
silence first. A channel that was silent for 31 days, or always, is not among them.`,
		Example: `  qst admin channels silent --max 10`,
		Args:    cobra.NoArgs,
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, _ []string) error {
			if err := checkTop(limit); err != nil {
				return err
			}
			elements, _, err := c.page(ctx, url.Values{"limit": {strconv.Itoa(limit)}}, "channels", "silent")
			if err != nil {
				return err
			}
			return writeList(a, one(elements), 0, []string{"CHANNEL", "LAST SEEN", "SILENT"}, func(s adminSilent) []string {
				return []string{s.Channel, when(s.LastSeen), ageText(s.Silent)}
			})
		}),
	}
	cmd.Flags().IntVarP(&limit, "max", "n", 20, "most channels to list, 1 to 100")
	return cmd
}
