package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// errUsage is what errors of a command line or a configuration are.
var errUsage = errors.New("usage")

// usageError is one of them. Its text says what is wrong, and no more.
type usageError struct{ error }

// Is makes it an errUsage.
func (usageError) Is(target error) bool { return target == errUsage }

// Unwrap returns what it wraps.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// flagError says what is wrong with a flag of cmd, which pflag says in the words of Go.
func flagError(cmd *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		wanted := map[string]string{
			"int": "a whole number", "int64": "a whole number", "duration": "a duration such as 90s or 5m", "bool": "true or false",
		}[invalid.GetFlag().Value.Type()]
		if wanted != "" {
			return usagef("--%s %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), wanted)
		}
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usagef("--%s needs a value", missing.GetFlag().Name)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = "-" + unknown.GetSpecifiedName()
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return usagef("%s has no flag %s%s", cmd.CommandPath(), name, cmp.Or(didYouMean(name, names), "; see "+cmd.CommandPath()+" --help"))
	}
	return usagef("%w", err)
}

// didYouMean names what somebody may have meant; "" if nothing is near.
func didYouMean(word string, names []string) string {
	// Cobra knows what is near, of commands.
	group := &cobra.Command{SuggestionsMinimumDistance: 2}
	if len(word) < 5 {
		group.SuggestionsMinimumDistance = 1
	}
	for _, name := range names {
		group.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	near := group.SuggestionsFor(word)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// mayBeEmpty are the flags that say something with an empty value. Elsewhere it is a
// shell's variable that has none: --url "$URL" must not mean the default profile.
var mayBeEmpty = []string{"body", "subject", "note", "prefix", "after"}

// emptyFlag refuses a flag whose value is empty.
func emptyFlag(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && f.Value.String() == "" && !slices.Contains(mayBeEmpty, f.Name) {
			err = usagef("--%s is empty", f.Name)
		}
	})
	return err
}

// checkMax refuses a negative --max.
func checkMax(most int) error {
	if most < 0 {
		return usagef("--max %d is less than 0", most)
	}
	return nil
}

// usageOfArguments has wrong numbers of arguments told by the arguments' names.
func usageOfArguments(commands []*cobra.Command) {
	for _, c := range commands {
		if args := c.Args; args != nil {
			c.Args = func(cmd *cobra.Command, given []string) error {
				err := args(cmd, given)
				if err != nil && !errors.Is(err, errUsage) {
					return argumentsError(cmd, given)
				}
				return err
			}
		}
		usageOfArguments(c.Commands())
	}
}

// argumentsError says which argument is missing, or too many. A command's Use names them.
func argumentsError(cmd *cobra.Command, given []string) error {
	var required, all []string
	for _, word := range strings.Fields(cmd.Use)[1:] {
		if word == "[flags]" || strings.ContainsAny(word[:1], "{-") || strings.HasPrefix(word, "[-") {
			break
		}
		name := strings.Trim(word, "[]")
		all = append(all, name)
		if !strings.HasPrefix(word, "[") {
			required = append(required, name)
		}
	}
	usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	switch {
	case len(given) < len(required):
		return usagef("%s is missing: %s", required[len(given)], usage)
	case len(given) > len(all):
		return usagef("%s is one argument too many: %s", shown(given[len(all)]), usage)
	default:
		return usagef("wrong number of arguments: %s", usage)
	}
}
