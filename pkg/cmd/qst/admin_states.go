package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// adminState is what a phone reported of a message.
type adminState struct {
	Message string     `json:"message"`
	State   string     `json:"state"`
	Code    string     `json:"code"`
	At      *time.Time `json:"at"`
}

func (a *app) statesCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use:   "states CHANNEL",
		Short: "List what was reported of a channel's messages, the newest first",
		Long: `Lists what a gateway reported of the messages that it was given (sent, delivered,
failed, expired, rejected or unknown; a version 1 phone also confirmed, or in its own
words), and which messages were dropped as past their validity (expired). MESSAGE is the
id that the sender gave it.`,
		Example: `  qst admin states acme.phone --max 10`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completion(a.channelNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			query := url.Values{"limit": {strconv.Itoa(most)}}
			answer, err := c.call(ctx, http.MethodGet, adminRequest{query: query}, "channels", args[0], "states")
			if err != nil {
				return err
			}
			var list struct {
				States []json.RawMessage `json:"states"`
			}
			if err := understand(answer, &list); err != nil {
				return err
			}
			return writeList(a, one(list.States), 0, []string{"REPORTED", "STATE", "MESSAGE"}, func(s adminState) []string {
				return []string{when(s.At), s.State, s.Message}
			})
		}),
	}
	cmd.Flags().IntVarP(&most, "max", "n", 100, "most to list, 1 to 1000")
	return cmd
}
