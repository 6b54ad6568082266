package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// adminCredential is a credential as the admin API tells it.
type adminCredential struct {
	ID       string     `json:"id"`
	Endpoint string     `json:"endpoint"`
	Rights   []string   `json:"rights"`
	User     string     `json:"user"`
	Note     string     `json:"note"`
	Created  *time.Time `json:"created"`
	Expires  *time.Time `json:"expires"`
	Secret   string     `json:"secret"` // when it is made
}

func (a *app) credentialsCommand() *cobra.Command {
	return group("credentials", "Make, list and revoke what parties log in with", "",
		a.credentialsCreateCommand(), a.credentialsListCommand(), a.credentialsRevokeCommand())
}

type credentialFlags struct {
	id, user, note, expires, secretFile string
	rights                              []string
}

func (a *app) credentialsCreateCommand() *cobra.Command {
	var n credentialFlags
	cmd := &cobra.Command{
		Use:   "create CHANNEL gateway|application|mailbox",
		Short: "Make a credential, and show its secret this once",
		Long: `Makes a credential for a party of a channel, and shows the secret: now, and never
again. Several of one party work side by side: make the next one, give it to the party,
and revoke the old one when nobody uses it any more.`,
		Example: `  qst admin credentials create phone-1 gateway --id phone-2027
  qst admin credentials create phone-1 application --right pull --expires 720h`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, oneOf("gateway", "application", "mailbox")),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			return a.createCredential(ctx, c, args[0], args[1], &n)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&n.id, "id", "", "`name` of the credential in its channel; made up if there is none")
	f.StringVar(&n.user, "user", "", "`name` that the party logs in with; the channel's if there is none")
	f.StringArrayVar(&n.rights, "right", nil, "push or pull; may be repeated; both if there is none")
	f.StringVar(&n.expires, "expires", "", "`when` it ends: RFC 3339, or from now on, such as 30d or 720h")
	f.StringVar(&n.note, "note", "", "`text` for people")
	f.StringVar(&n.secretFile, "secret-file", "", "`file` with a secret that the party has already, in its first line; - is the standard input")
	complete(cmd, "right", "push", "pull")
	return cmd
}

func (a *app) createCredential(ctx context.Context, c *adminClient, channel, endpoint string, n *credentialFlags) error {
	body := map[string]any{"endpoint": endpoint, "id": n.id, "user": n.user, "note": n.note, "rights": n.rights}
	if n.expires != "" {
		at, err := time.Parse(time.RFC3339, n.expires)
		if d, notDuration := time.ParseDuration(n.expires); err != nil && notDuration == nil {
			at, err = time.Now().Add(d).UTC().Truncate(time.Second), nil
		}
		if days, ok := strings.CutSuffix(n.expires, "d"); ok {
			if count, notNumber := strconv.ParseUint(days, 10, 16); notNumber == nil {
				at, err = time.Now().AddDate(0, 0, int(count)).UTC().Truncate(time.Second), nil
			}
		}
		if err != nil {
			return usagef("--expires %s: neither a time such as 2030-01-01T00:00:00Z nor one from now on such as 30d or 720h", n.expires)
		}
		body["expires"] = at
	}
	if n.secretFile != "" {
		secret, err := a.secretIn(n.secretFile)
		if err != nil {
			return err
		}
		if secret == "" {
			return usagef("--secret-file %s: its first line is empty", n.secretFile)
		}
		body["secret"] = secret
	}
	answer, err := c.call(ctx, http.MethodPost, adminRequest{body: body}, "channels", channel, "credentials")
	if err != nil {
		return err
	}
	var made adminCredential
	if err := understand(answer, &made); err != nil {
		return err
	}
	if a.output == "json" {
		err = a.writeJSON(answer)
	} else {
		err = a.writeFields(field{"id", made.ID}, field{"endpoint", made.Endpoint}, field{"rights", strings.Join(made.Rights, " ")},
			field{"note", made.Note}, field{"expires", when(made.Expires)}, field{"user", made.User}, field{"secret", made.Secret})
	}
	if err != nil {
		return fmt.Errorf("credential %s is made, but nobody has seen its secret; revoke it: %w", made.ID, err)
	}
	if a.output == "text" {
		fmt.Fprintln(a.err, "The secret is shown this once: the service keeps only a digest of it.")
	}
	return nil
}

func (a *app) credentialsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list CHANNEL",
		Short:   "List a channel's credentials, without their secrets",
		Example: `  qst admin credentials list phone-1`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completion(a.channelNames),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			var list struct {
				Credentials []json.RawMessage `json:"credentials"`
			}
			if err := c.get(ctx, &list, "channels", args[0], "credentials"); err != nil {
				return err
			}
			columns := []string{"ID", "ENDPOINT", "RIGHTS", "USER", "CREATED", "EXPIRES", "NOTE"}
			return writeList(a, one(list.Credentials), 0, columns, func(c adminCredential) []string {
				return []string{c.ID, c.Endpoint, strings.Join(c.Rights, " "), c.User, when(c.Created), when(c.Expires), c.Note}
			})
		}),
	}
}

func (a *app) credentialsRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke CHANNEL ID",
		Short:   "Revoke a credential",
		Long:    `Revokes a credential. Each replica refuses it within QST_AUTH_CACHE (5s).`,
		Example: `  qst admin credentials revoke phone-1 phone-2026`,
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completion(a.channelNames, a.credentialIDs),
		RunE: a.withAdmin(func(ctx context.Context, c *adminClient, args []string) error {
			if _, err := c.call(ctx, http.MethodDelete, adminRequest{}, "channels", args[0], "credentials", args[1]); err != nil {
				return err
			}
			return a.say(map[string]string{"revoked": args[1]}, "credential %s of channel %s is revoked", args[1], args[0])
		}),
	}
}
