package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// adminChannel is a channel as the admin API tells it.
type adminChannel struct {
	Name     string                     `json:"name"`
	Note     string                     `json:"note"`
	Labels   map[string]string          `json:"labels"`
	Settings map[string]json.RawMessage `json:"settings"` // also those that this program does not know
	Created  *time.Time                 `json:"created"`
	Changed  *time.Time                 `json:"changed"`
	Revision int64                      `json:"revision"`
	Parties  map[string]adminParty      `json:"parties"`
	Unwell   []adminUnwell              `json:"unwell"`
}

// adminUnwell is what is wrong with a channel.
type adminUnwell struct {
	State string     `json:"state"`
	Since *time.Time `json:"since"`
}

// channelStates are what can be wrong with a channel, for a shell to complete.
var channelStates = []string{"any", "waiting_unpolled", "push_only", "polled_unconfirmed", "same_batch", "stopped_401", "superseding", "quiet"}

// adminParty is what a party of a channel last did.
type adminParty struct {
	Connected bool       `json:"connected"`
	Polling   bool       `json:"polling"`
	Pushed    *time.Time `json:"pushed"`
	Pulled    *time.Time `json:"pulled"`
	Confirmed *time.Time `json:"confirmed"`
	Address   string     `json:"address"`
	UserAgent string     `json:"user_agent"`
	Number    string     `json:"number"`
}

func (a *app) channelsCommand() *cobra.Command {
	return group("channels", "List, show, make, change and delete channels", "",
		a.channelsListCommand(), a.channelsShowCommand(), a.channelsCreateCommand(), a.channelsChangeCommand(), a.channelsDeleteCommand(), a.channelsSilentCommand())
}

func (a *app) channelsListCommand() *cobra.Command {
	var (
		prefix, label, after, state string
		unwell                      bool
		most                        int
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List channels by their names",
		Long: `Lists all channels, in the order of their names (bytes). To go through them in parts,
give --max, and the last name of a part as --after of the next.

With --unwell it lists those that are not well, what is wrong with each, and since when: messages
wait and nobody polls (waiting_unpolled), or the party that is to poll pushes only (push_only); a client
polls and never confirms (polled_unconfirmed), or was given the same messages ten times (same_batch); it was
answered 401 and has not been seen since (stopped_401); two clients supersede each other's polls
(superseding); no client was seen for five times the channel's usual gap (quiet). --state names one.`,
		Example: `  qst admin channels list --prefix phone- --label site=north
  qst admin channels list --unwell
  qst admin channels list --state stopped_401`,
		Args: cobra.NoArgs,
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, _ []string) error {
			if err := checkMax(most); err != nil {
				return err
			}
			query := url.Values{"limit": {"1000"}} // the most there may be
			if unwell && state == "" {
				state = channelStates[0]
			}
			if most > 0 && most < 1000 && label == "" && state == "" {
				query.Set("limit", strconv.Itoa(most))
			}
			for name, value := range map[string]string{"prefix": prefix, "label": label, "after": after, "state": state} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if state != "" {
				return writeList(a, c.pages(ctx, query, "channels", "channels"), most, []string{"CHANNEL", "STATE", "SINCE", "NOTE"}, func(ch adminChannel) []string {
					states, first := make([]string, len(ch.Unwell)), (*time.Time)(nil)
					for i, u := range ch.Unwell {
						if states[i] = u.State; first == nil || u.Since != nil && u.Since.Before(*first) {
							first = u.Since
						}
					}
					return []string{ch.Name, strings.Join(states, " "), when(first), ch.Note}
				})
			}
			return writeList(a, c.pages(ctx, query, "channels", "channels"), most, []string{"CHANNEL", "CHANGED", "LABELS", "NOTE"}, func(ch adminChannel) []string {
				return []string{ch.Name, when(ch.Changed), labelsText(ch.Labels), ch.Note}
			})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&prefix, "prefix", "", "only channels whose names start with this `text`")
	f.StringVar(&label, "label", "", "only channels with this label: `name=value`, or name for any value")
	f.StringVar(&after, "after", "", "start behind this `name`")
	f.BoolVar(&unwell, "unwell", false, "only channels that are not well")
	f.StringVar(&state, "state", "", "only channels that are not well in this `way`: see above; any")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(channelStates, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	f.IntVarP(&most, "max", "n", 0, "most channels to list; 0: no limit")
	return cmd
}

func (a *app) channelsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show CHANNEL",
		Short: "Show a channel, and when its parties were last seen",
		Long: `Shows what there is to know of a channel. A party is connected if a poll of it waits now
("polling"), or it pushed or pulled within two minutes.`,
		Example:           `  qst admin channels show phone-1`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completion(a.channelNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			answer, err := c.call(ctx, http.MethodGet, adminRequest{}, "channels", args[0])
			if stopped(err, http.StatusNotFound) {
				// Where QST_AUTH is none, a channel needs no record to be used, listed and deleted.
				if listed, listErr := c.listed(ctx, args[0]); listErr == nil && listed != nil {
					answer, err = listed, nil
				}
			}
			if err != nil {
				return err
			}
			return a.showChannel(answer)
		}),
	}
}

// listed returns a channel as the list has it; nil: it has none of that name.
func (c *adminClient) listed(ctx context.Context, name string) (json.RawMessage, error) {
	elements, _, err := c.page(ctx, url.Values{"prefix": {name}, "limit": {"1"}}, "channels", "channels")
	if err != nil || len(elements) == 0 {
		return nil, err
	}
	var ch adminChannel
	if err := understand(elements[0], &ch); err != nil || ch.Name != name {
		return nil, err
	}
	return elements[0], nil
}

// showChannel writes a channel that the admin API answered.
func (a *app) showChannel(answer json.RawMessage) error {
	if a.output == "json" {
		return a.writeJSON(answer)
	}
	var ch adminChannel
	if err := understand(answer, &ch); err != nil {
		return err
	}
	set := make([]string, 0, len(ch.Settings))
	for _, name := range slices.Sorted(maps.Keys(ch.Settings)) {
		set = append(set, name+"="+strings.Trim(string(ch.Settings[name]), `"`))
	}
	err := a.writeFields(field{"channel", ch.Name}, field{"note", ch.Note}, field{"labels", labelsText(ch.Labels)},
		field{"settings", strings.Join(set, " ")}, field{"created", when(ch.Created)}, field{"changed", when(ch.Changed)},
		field{"revision", revisionText(ch.Revision)})
	if err != nil || len(ch.Parties) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	t := table{terminal: a.terminal, columns: []string{"PARTY", "STATE", "PUSHED", "PULLED", "CONFIRMED", "NUMBER", "ADDRESS", "PROGRAM"}}
	rows := make([][]string, 0, len(ch.Parties))
	for _, name := range slices.Sorted(maps.Keys(ch.Parties)) {
		p := ch.Parties[name]
		rows = append(rows, []string{name, p.state(), when(p.Pushed), when(p.Pulled), when(p.Confirmed), p.Number, p.Address, p.UserAgent})
	}
	return t.write(rows)
}

func revisionText(revision int64) string {
	if revision == 0 {
		return "none: nobody made this channel, messages were pushed to it (QST_AUTH=none)"
	}
	return strconv.FormatInt(revision, 10)
}

func (p *adminParty) state() string {
	switch {
	case p.Polling:
		return "polling"
	case p.Connected:
		return "connected"
	case p.Pushed == nil && p.Pulled == nil:
		return "never seen"
	default:
		return "away"
	}
}

func labelsText(labels map[string]string) string {
	pairs := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, " ")
}
