package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// adminWebhook is a webhook as the admin API tells it.
type adminWebhook struct {
	Channel       string        `json:"channel"` // in the list
	Queue         string        `json:"queue"`
	PushURL       string        `json:"push_url"`
	Mode          string        `json:"mode"`
	Format        string        `json:"format"`
	MaxMessages   int           `json:"max_messages"`
	Timeout       string        `json:"timeout"`
	User          string        `json:"user"`
	Replies       bool          `json:"replies"`
	PreviousUntil *time.Time    `json:"previous_secret_until"`
	Changed       *time.Time    `json:"changed"`
	Secret        string        `json:"secret"` // when it is made
	Delivery      adminDelivery `json:"delivery"`
}

// adminDelivery is how a webhook does.
type adminDelivery struct {
	State    string     `json:"state"`
	Worker   string     `json:"worker"`
	Last     *time.Time `json:"last"`
	Taken    *time.Time `json:"taken"`
	Status   int        `json:"last_status"`
	Answer   string     `json:"last_answer"`
	Failures int        `json:"failures"`
	NextTry  *time.Time `json:"next_try"`
	Stopped  *time.Time `json:"stopped"`
}

func (a *app) webhooksCommand() *cobra.Command {
	return group("webhooks", "Have messages brought to a URL, and see how that goes",
		`A queue that has a webhook is pushed to its URL: the service POSTs batches there, as QSTv2
has it, signed as Standard Webhooks has it, and nobody can pull them any more. It takes a
worker: a process of the service that was started as "api webhooks".`,
		a.webhooksListCommand(), a.webhooksShowCommand(), a.webhooksSetCommand(), a.webhooksRotateCommand(),
		a.webhooksTestCommand(), a.webhooksResumeCommand(), a.webhooksDeleteCommand())
}

// status is the last answer's, for people.
func (d adminDelivery) status() string {
	if d.Status == 0 {
		return ""
	}
	return strconv.Itoa(d.Status)
}

func (a *app) webhooksListCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the queues that have a webhook",
		Long: `Lists the queues that have a webhook. STATE is well, failing (it is tried again), stopped
(until "qst admin webhooks resume") or waiting (no worker has it).`,
		Example: `  qst admin webhooks list`,
		Args:    cobra.NoArgs,
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, _ []string) error {
			if err := checkMax(most); err != nil {
				return err
			}
			columns := []string{"CHANNEL", "QUEUE", "STATE", "STATUS", "FAILURES", "TAKEN", "NEXT", "ANSWER"}
			pages := c.pages(ctx, url.Values{"limit": {"1000"}}, "webhooks", "webhooks")
			return writeList(a, pages, most, columns, func(w adminWebhook) []string {
				d := w.Delivery
				return []string{w.Channel, w.Queue, d.State, d.status(), strconv.Itoa(d.Failures), when(d.Taken), when(d.NextTry), d.Answer}
			})
		}),
	}
	cmd.Flags().IntVarP(&most, "max", "n", 0, "most webhooks to list; 0: no limit")
	return cmd
}

func (a *app) webhooksShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show CHANNEL QUEUE",
		Short:   "Show a queue's webhook and how it does",
		Long:    `Shows a queue's webhook, without its secrets, and how it does.`,
		Example: `  qst admin webhooks show shop inbound`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			answer, err := c.call(ctx, http.MethodGet, adminRequest{}, webhookPath(args)...)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.writeJSON(answer)
			}
			var w adminWebhook
			if err := understand(answer, &w); err != nil {
				return err
			}
			return a.writeFields(append(w.fields(), w.Delivery.fields()...)...)
		}),
	}
}

func webhookPath(args []string, then ...string) []string {
	return append([]string{"channels", args[0], "queues", args[1], "webhook"}, then...)
}

func (w adminWebhook) fields() []field {
	return []field{
		{"queue", w.Queue},
		{"push_url", w.PushURL},
		{"mode", w.Mode},
		{"format", w.Format},
		{"max_messages", strconv.Itoa(w.MaxMessages)},
		{"timeout", w.Timeout},
		{"user", w.User},
		{"replies", strconv.FormatBool(w.Replies)},
		{"previous_secret_until", when(w.PreviousUntil)},
		{"changed", when(w.Changed)},
		{"secret", w.Secret},
	}
}

func (d adminDelivery) fields() []field {
	return []field{
		{"state", d.State},
		{"worker", d.Worker},
		{"last", when(d.Last)},
		{"taken", when(d.Taken)},
		{"last_status", d.status()},
		{"last_answer", d.Answer},
		{"failures", strconv.Itoa(d.Failures)},
		{"next_try", when(d.NextTry)},
		{"stopped", when(d.Stopped)},
	}
}

type webhookFlags struct {
	mode, format, timeout, user, passwordFile, secretFile string
	messages                                              int
	replies                                               bool
}

func (a *app) webhooksSetCommand() *cobra.Command {
	var n webhookFlags
	cmd := &cobra.Command{
		Use:   "set CHANNEL QUEUE URL",
		Short: "Give a queue a webhook, or another one",
		Long: `Gives a queue a webhook. If there was none, its secret is made, unless --secret-file brings
one, and shown: now, and never again. Of a webhook that was there, secret and password stay
unless they are given; everything else is as the flags say now.`,
		Example: `  qst admin webhooks set shop inbound https://shop.example.com/sms
  qst admin webhooks set shop inbound https://shop.example.com/sms --mode wake`,
		Args: cobra.ExactArgs(3), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			body := map[string]any{
				"push_url": args[2], "mode": n.mode, "format": n.format, "timeout": n.timeout, "user": n.user, "max_messages": n.messages, "replies": n.replies,
			}
			for name, file := range map[string]string{"password": n.passwordFile, "secret": n.secretFile} {
				if file == "" {
					continue
				}
				secret, err := a.secretIn(file)
				if err != nil {
					return err
				}
				if secret == "" {
					return usagef("--%s-file %s: its first line is empty", name, file)
				}
				body[name] = secret
			}
			return a.changeWebhook(ctx, c, http.MethodPut, body, webhookPath(args)...)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&n.mode, "mode", "messages", "messages, or wake: that there are some, for the application to pull")
	f.StringVar(&n.format, "format", "json", "json or xml")
	f.IntVar(&n.messages, "messages", 100, "`number` of messages in a batch, at the most")
	f.StringVar(&n.timeout, "answer-within", "10s", "`time` that the application has to answer: 1s to 1m")
	f.StringVar(&n.user, "login", "", "`name` that the service logs in with (HTTP Basic)")
	f.StringVar(&n.passwordFile, "login-file", "", "`file` with the password for --login in its first line; - is the standard input")
	f.StringVar(&n.secretFile, "secret-file", "", "`file` with the secret that signs in its first line; - is the standard input")
	f.BoolVar(&n.replies, "replies", false, "take a batch in the answer as messages of the other direction")
	complete(cmd, "mode", "messages", "wake")
	complete(cmd, "format", "json", "xml")
	return cmd
}

// changeWebhook sends what changes a webhook, and shows the secret if one was made.
func (a *app) changeWebhook(ctx context.Context, c *adminClient, method string, body any, path ...string) error {
	answer, err := c.call(ctx, method, adminRequest{body: body}, path...)
	if err != nil {
		return err
	}
	var w adminWebhook
	if err := understand(answer, &w); err != nil {
		return err
	}
	if a.output == "json" {
		err = a.writeJSON(answer)
	} else {
		err = a.writeFields(w.fields()...)
	}
	if err != nil && w.Secret != "" {
		return fmt.Errorf("the webhook is set, but nobody has seen its secret; rotate it: %w", err)
	}
	if err == nil && w.Secret != "" && a.output == "text" {
		fmt.Fprintln(a.err, "The secret is shown this once.")
	}
	return err
}

func (a *app) webhooksRotateCommand() *cobra.Command {
	var keep, secretFile string
	cmd := &cobra.Command{
		Use:   "rotate CHANNEL QUEUE",
		Short: "Sign with another secret, and with the present one for a while",
		Long: `Makes another secret that signs, unless --secret-file brings one, and shows it: now, and
never again. The present one signs, too, for the time of --keep: until then give the new one
to the application.`,
		Example: `  qst admin webhooks rotate shop inbound --keep 48h`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			body := map[string]any{"keep": keep}
			if secretFile != "" {
				secret, err := a.secretIn(secretFile)
				if err != nil {
					return err
				}
				body["secret"] = secret
			}
			return a.changeWebhook(ctx, c, http.MethodPost, body, webhookPath(args, "rotate")...)
		}),
	}
	cmd.Flags().StringVar(&keep, "keep", "24h", "`time` that the present secret signs, too: 0s (not at all) to 720h")
	cmd.Flags().StringVar(&secretFile, "secret-file", "", "`file` with the new secret in its first line; - is the standard input")
	return cmd
}

func (a *app) webhooksTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test CHANNEL QUEUE",
		Short: "Send an empty batch, and show the answer",
		Long: `Has a worker send an empty batch to the webhook's URL, signed as any, and shows the answer.
No message leaves the queue. If the answer takes nothing (not 2xx), the exit code is 1.`,
		Example: `  qst admin webhooks test shop inbound`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if a.errTTY {
				fmt.Fprintln(a.err, "qst: a worker is asked to send it; that can take half a minute")
			}
			answer, err := c.call(ctx, http.MethodPost, adminRequest{}, webhookPath(args, "test")...)
			if err != nil {
				return err
			}
			var t struct {
				Status int     `json:"status"`
				Answer string  `json:"answer"`
				Took   float64 `json:"took_seconds"`
			}
			if err := understand(answer, &t); err != nil {
				return err
			}
			took := time.Duration(t.Took * float64(time.Second)).Round(time.Millisecond).String()
			if err := a.say(answer, "%s, after %s", t.Answer, took); err != nil {
				return err
			}
			if t.Status < 200 || t.Status > 299 {
				return fmt.Errorf("the application takes nothing: %s", t.Answer)
			}
			return nil
		}),
	}
}

func (a *app) webhooksResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume CHANNEL QUEUE",
		Short: "Let a webhook go on that has stopped",
		Long: `Lets a webhook go on that has stopped: it was answered 401, 403 or 410. One that waits for
its next try is tried now.`,
		Example: `  qst admin webhooks resume shop inbound`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if _, err := c.call(ctx, http.MethodPost, adminRequest{}, webhookPath(args, "resume")...); err != nil {
				return err
			}
			return a.say(map[string]string{"resumed": args[1]}, "the webhook of %s of channel %s goes on", args[1], args[0])
		}),
	}
}

func (a *app) webhooksDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete CHANNEL QUEUE",
		Short:   "Take a queue's webhook away",
		Long:    `Takes a queue's webhook away. Its messages stay, for those who pull.`,
		Example: `  qst admin webhooks delete shop inbound`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, queueNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if _, err := c.call(ctx, http.MethodDelete, adminRequest{}, webhookPath(args)...); err != nil {
				return err
			}
			return a.say(map[string]string{"deleted": args[1]}, "%s of channel %s has no webhook any more", args[1], args[0])
		}),
	}
}
