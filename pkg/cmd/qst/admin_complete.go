package main

import (
	"context"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// completeTimeout is how long a person waits for a shell to complete something.
const completeTimeout = 2 * time.Second

// completer gives what an argument could be: those before it are args, and it starts
// with prefix.
type completer func(ctx context.Context, args []string, prefix string) []string

// completion has a completer for each argument.
func (a *app) completion(arguments ...completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(arguments) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		return arguments[len(args)](ctx, args, prefix), cobra.ShellCompDirectiveNoFileComp
	}
}

func oneOf(names ...string) completer {
	return func(_ context.Context, _ []string, prefix string) []string { return completeNames(names, prefix) }
}

// completingAdmin returns a client, or nil: then there is nothing to complete.
func (a *app) completingAdmin() *adminClient {
	s, err := a.adminSettings()
	if err != nil || s.AdminTokenFile == "-" { // the input is the person's
		return nil
	}
	c, err := a.admin()
	if err != nil {
		return nil
	}
	return c
}

func (a *app) channelNames(ctx context.Context, _ []string, prefix string) []string {
	c := a.completingAdmin()
	if c == nil {
		return nil
	}
	page, _, err := c.page(ctx, url.Values{"prefix": {prefix}, "limit": {"100"}}, "channels", "channels")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(page))
	for _, element := range page {
		var ch adminChannel
		if understand(element, &ch) == nil {
			names = append(names, ch.Name)
		}
	}
	return names
}

func (a *app) credentialIDs(ctx context.Context, args []string, prefix string) []string {
	c := a.completingAdmin()
	if c == nil {
		return nil
	}
	var list struct {
		Credentials []adminCredential `json:"credentials"`
	}
	if c.get(ctx, &list, "channels", args[0], "credentials") != nil {
		return nil
	}
	ids := make([]string, len(list.Credentials))
	for i, credential := range list.Credentials {
		ids[i] = credential.ID
	}
	return completeNames(ids, prefix)
}
