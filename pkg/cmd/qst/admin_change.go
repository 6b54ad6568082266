package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// changeTries is how often a change is made again from what somebody else made of
// the channel meanwhile.
const changeTries = 5

// edit is what flags say is to be otherwise.
type edit struct {
	note        string
	noted       bool
	labels, set []string // name=value
	unlabel     []string // names
	unset       []string // names
}

// channelSettings are the names of a channel's settings, for a shell to complete.
var channelSettings = []string{"queue_max_messages", "queue_max_bytes", "retention", "dedup_window", "push_rate", "max_deliveries", "inbound_ttl", "outbound_ttl", "report_states"}

// durationSettings are those of them that are durations: texts in JSON.
var durationSettings = []string{"retention", "dedup_window", "inbound_ttl", "outbound_ttl"}

func (e *edit) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.note, "note", "", "`text` for people")
	f.StringArrayVar(&e.labels, "label", nil, "a label, `name=value`; may be repeated")
	f.StringArrayVar(&e.set, "set", nil, "a setting, `name=value`, one of "+strings.Join(channelSettings, ", ")+"; may be repeated")
	names := make([]string, len(channelSettings))
	for i, name := range channelSettings {
		names[i] = name + "="
	}
	_ = cmd.RegisterFlagCompletionFunc("set", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// misspelt refuses names of settings that look like those of others. One that is like
// none may be a newer service's.
func (e *edit) misspelt() error {
	names := slices.Clone(e.unset)
	for _, setting := range e.set {
		name, _, _ := strings.Cut(setting, "=")
		names = append(names, name)
	}
	for _, name := range names {
		if near := didYouMean(name, channelSettings); near != "" && !slices.Contains(channelSettings, name) {
			return usagef("there is no setting %q%s", name, near)
		}
	}
	return nil
}

// apply makes the changes to ch.
func (e *edit) apply(ch *adminChannel) error {
	if e.noted {
		ch.Note = e.note
	}
	if ch.Labels == nil {
		ch.Labels = map[string]string{}
	}
	for _, name := range e.unlabel {
		delete(ch.Labels, name)
	}
	for _, label := range e.labels {
		name, value, ok := strings.Cut(label, "=")
		if !ok {
			return usagef("--label %q is not name=value", label)
		}
		ch.Labels[name] = value
	}
	if ch.Settings == nil {
		ch.Settings = map[string]json.RawMessage{}
	}
	for _, name := range e.unset {
		delete(ch.Settings, name)
	}
	for _, setting := range e.set {
		name, value, ok := strings.Cut(setting, "=")
		if !ok || value == "" {
			return usagef("--set %q is not name=value", setting)
		}
		if err := wrongKind(name, value); err != nil {
			return err
		}
		ch.Settings[name] = settingValue(name, value)
	}
	return nil
}

// wrongKind refuses a value that is not of its setting's kind, which the service would say
// in the words of JSON. What is not known here may be a newer service's.
func wrongKind(name, value string) error {
	switch {
	case !slices.Contains(channelSettings, name), slices.Contains(durationSettings, name):
		return nil
	case name == "report_states":
		if value != "true" && value != "false" {
			return usagef("--set %s=%s: neither true nor false", name, value)
		}
	default:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return usagef("--set %s=%s: not a whole number", name, value)
		}
	}
	return nil
}

// settingValue writes a setting's value as JSON has it. Whether it is one, the service says.
func settingValue(name, value string) json.RawMessage {
	plain := json.Valid([]byte(value)) && !strings.ContainsAny(value, `"[{`)
	if plain && !slices.Contains(durationSettings, name) { // 0 is a duration, too
		return json.RawMessage(value)
	}
	text, _ := json.Marshal(value) //nolint:errchkjson // a string: can't fail
	return text
}

func (a *app) channelsCreateCommand() *cobra.Command {
	var e edit
	cmd := &cobra.Command{
		Use:     "create CHANNEL",
		Short:   "Make a channel",
		Long:    `Makes a channel. Its parties then need credentials: see qst admin credentials create.`,
		Example: `  qst admin channels create phone-1 --note 'Nokia, north office' --label site=north --set retention=72h`,
		Args:    cobra.ExactArgs(1),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if err := e.misspelt(); err != nil {
				return err
			}
			ch := adminChannel{Note: e.note}
			if err := e.apply(&ch); err != nil {
				return err
			}
			body := map[string]any{"name": args[0], "note": ch.Note, "labels": ch.Labels, "settings": ch.Settings}
			answer, err := c.call(ctx, http.MethodPost, adminRequest{body: body}, "channels")
			if err != nil {
				return err
			}
			return a.showChannel(answer)
		}),
	}
	e.flags(cmd)
	return cmd
}

func (a *app) channelsChangeCommand() *cobra.Command {
	var (
		e        edit
		revision int64
	)
	cmd := &cobra.Command{
		Use:   "change CHANNEL",
		Short: "Change a channel's note, labels or settings",
		Long: `Changes what the flags name, and leaves the rest as it is: also what somebody else
changes at the same time. With --revision the channel is changed only if it still is at the
revision that you looked at (see show); else the exit code is 6.`,
		Example: `  qst admin channels change phone-1 --set max_deliveries=5 --unset retention`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completion(a.channelNames),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e.noted = cmd.Flags().Changed("note")
		if !e.noted && len(e.labels)+len(e.set)+len(e.unlabel)+len(e.unset) == 0 {
			return usagef("nothing to change: give --note, --label, --unlabel, --set or --unset")
		}
		if err := e.misspelt(); err != nil {
			return err
		}
		return a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			return a.changeChannel(ctx, c, args[0], &e, revision)
		})(cmd, args)
	}
	e.flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&e.unlabel, "unlabel", nil, "take away the label of this `name`; may be repeated")
	f.StringArrayVar(&e.unset, "unset", nil, "have the setting of this `name` as the service is configured; may be repeated")
	f.Int64Var(&revision, "revision", 0, "change only this revision of the channel; 0: whatever it is at")
	complete(cmd, "unset", channelSettings...)
	return cmd
}

// changeChannel reads the channel, and makes the change of what it read: the admin
// API replaces labels and settings as a whole.
func (a *app) changeChannel(ctx context.Context, c *adminClient, name string, e *edit, revision int64) error {
	for try := 1; ; try++ {
		var ch adminChannel
		if err := c.get(ctx, &ch, "channels", name); err != nil {
			return err
		}
		if revision != 0 && ch.Revision != revision {
			return staleError(name, ch.Revision, revision)
		}
		if err := e.apply(&ch); err != nil {
			return err
		}
		body := map[string]any{}
		if e.noted {
			body["note"] = ch.Note
		}
		if len(e.labels)+len(e.unlabel) > 0 {
			body["labels"] = ch.Labels
		}
		if len(e.set)+len(e.unset) > 0 {
			body["settings"] = ch.Settings
		}
		answer, err := c.call(ctx, http.MethodPatch, adminRequest{ifMatch: revisionTag(ch.Revision), body: body}, "channels", name)
		if stopped(err, http.StatusPreconditionFailed) && revision == 0 && try < changeTries {
			continue
		}
		if err != nil {
			return err
		}
		return a.showChannel(answer)
	}
}

func revisionTag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

func staleError(name string, is, not int64) error {
	return &adminError{status: http.StatusPreconditionFailed, problem: true,
		text: fmt.Sprintf("channel %s is at revision %d, not %d: nothing was done", name, is, not)}
}

func (a *app) channelsDeleteCommand() *cobra.Command {
	var (
		yes      bool
		revision int64
	)
	cmd := &cobra.Command{
		Use:   "delete CHANNEL",
		Short: "Delete a channel with its credentials and messages",
		Long: `Deletes a channel, its credentials and all messages in its queues, dead ones too. On a
terminal it says what that is, and has the channel's name typed; a program gives --yes.`,
		Example: `  qst admin channels delete phone-1`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completion(a.channelNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			return a.deleteChannel(ctx, c, args[0], yes, revision)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().Int64Var(&revision, "revision", 0, "delete only this revision of the channel; 0: whatever it is at")
	return cmd
}

func (a *app) deleteChannel(ctx context.Context, c *adminClient, name string, yes bool, revision int64) error {
	var ch adminChannel
	match := "*"
	err := c.get(ctx, &ch, "channels", name)
	switch {
	case err == nil && revision != 0 && ch.Revision != revision:
		return staleError(name, ch.Revision, revision)
	case err == nil && ch.Revision != 0:
		match = revisionTag(ch.Revision)
	case err != nil && (revision != 0 || !stopped(err, http.StatusNotFound)):
		return err // a channel without a record may have messages: the service knows
	}
	if !yes {
		var state struct {
			Queues []adminQueue `json:"queues"`
		}
		if err := c.get(ctx, &state, "channels", name, "queues"); err != nil {
			return err
		}
		var messages, dead int64
		for _, q := range state.Queues {
			messages, dead = messages+q.Messages, dead+q.Dead
		}
		question := fmt.Sprintf("Channel %s, its credentials, %s and %d dead would be deleted.", name, countOf(messages), dead)
		if err := a.confirm(ctx, question, name, "Give --yes."); err != nil {
			return err
		}
	}
	answer, err := c.call(ctx, http.MethodDelete, adminRequest{ifMatch: match}, "channels", name)
	if err != nil {
		return err
	}
	var gone struct {
		Messages int64 `json:"messages"`
	}
	if err := understand(answer, &gone); err != nil {
		return err
	}
	return a.say(answer, "channel %s is deleted, with %s", name, countOf(gone.Messages))
}

// completeNames gives those of names that start with prefix.
func completeNames(names []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}
