package main

import (
	"context"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

func (a *app) conformanceClientCommand() *cobra.Command {
	var n conformanceFlags
	cmd := &cobra.Command{
		Use:   "client PROGRAM [ARGUMENT…]",
		Short: "Test whether a client keeps to the protocol",
		Long: `Runs the cases for clients: each starts a server that answers by a script, fails and
loses answers among it, has the program push or pull there, and looks at what it asked
for and what it made of the answers.

The program is called with one more argument, push or pull, and this environment:

  QSTC_URL                  the endpoint
  QSTC_USER, QSTC_PASSWORD  credentials, empty if there are none
  TASK_MAX                  pull: end when so many messages were handled and confirmed
  TASK_STATE                a file in which it may keep its place for its next run
  TASK_FAIL                 pull, where it is set: fail to handle the message of this
                            number (counted from 1): neither write nor confirm it, and end

push reads messages from the standard input, a JSON object each on a line. pull writes
messages to the standard output in the same form. Exit codes: 0 all was done, 3 messages
were refused for ever, 4 the server said to stop, 64 the program can't do such a
task (the case is skipped), any other: it may work another time.

The level once is of clients that handle no message twice, whatever is lost.`,
		Example: `  qst conformance client ./my-client
  qst conformance client --level wiki,contract --only '^pull/' python3 client.py`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.conformClient(cmd.Context(), n, args) },
	}
	n.register(cmd, conformance.ClientLevels())
	cmd.Flags().SetInterspersed(false) // what follows the program is its own
	return cmd
}

func (a *app) conformClient(ctx context.Context, n conformanceFlags, args []string) error {
	names, levels, err := n.chosen(conformance.ClientLevels())
	if err != nil {
		return err
	}
	cases := conformance.SelectClient(conformance.ClientCases(), names, levels...)
	if len(cases) == 0 {
		return usagef("no case is called so: see qst conformance client --list")
	}
	if n.list {
		for _, c := range cases {
			if err := a.listCase(listedCase{Name: c.Name, Level: c.Level, Holds: c.Holds}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(args) == 0 {
		return usagef("which program? qst conformance client PROGRAM")
	}
	if _, err := exec.LookPath(args[0]); err != nil { // once, and not for each case
		return usagef("the program can't be run: %w", err)
	}
	p := &conformanceProgress{app: a, total: len(cases), progress: progress{t: a.terminal}}
	report, err := conformance.RunClient(ctx, cases, conformance.Program(args[0], args[1:]...), n.patience, n.parallel, p.done)
	p.progress.clear()
	return a.concludeConformance(n, "client", report, err)
}
