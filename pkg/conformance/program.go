package conformance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Exit codes of a [Program].
const (
	exitDone        = 0
	exitRefused     = 3
	exitStopped     = 4
	exitUnsupported = 64
)

// Program returns the client that a program is. It is called with one more argument:
//
//   - push: it reads messages from its standard input, a JSON object each on a line, and
//     pushes them, in their order;
//   - pull: it pulls TASK_MAX messages, waiting for them if it must, writes each to its
//     standard output as a JSON object on a line when that is its way to handle it,
//     confirms them and ends.
//
// Its environment has QSTC_URL, QSTC_USER and QSTC_PASSWORD (empty if there are none);
// TASK_STATE, a file that it may keep its place in; and TASK_FAIL, the number of the message
// that it has to fail to handle: it must neither write nor confirm that one, and end.
//
// It exits with 0 when all was done, 3 when messages were refused for ever, 4 when it was
// stopped, 64 when it has no way to do as it was asked, and anything else when it may work
// another time.
func Program(name string, args ...string) Client {
	return func(ctx context.Context, task Task) Outcome {
		verb := "pull"
		if len(task.Messages) > 0 {
			verb = "push"
		}
		cmd := exec.CommandContext(ctx, name, append(append([]string{}, args...), verb)...) //nolint:gosec // the caller names it
		cmd.WaitDelay = 5 * time.Second
		cmd.Env = append(os.Environ(), "QSTC_URL="+task.URL, "QSTC_USER="+task.User, "QSTC_PASSWORD="+task.Password,
			fmt.Sprintf("TASK_MAX=%d", task.Max), "TASK_STATE="+task.State)
		if task.Fail > 0 {
			cmd.Env = append(cmd.Env, fmt.Sprintf("TASK_FAIL=%d", task.Fail))
		}
		var out, stderr bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(append(task.Messages, ""), "\n")), &out, &stderr
		err := cmd.Run()
		o := Outcome{Ending: Broken, Said: strings.TrimSpace(stderr.String())}
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			o.Said += " " + err.Error()
			return o
		}
		switch cmd.ProcessState.ExitCode() {
		case exitDone:
			o.Ending = Done
		case exitRefused:
			o.Ending = Refused
		case exitStopped:
			o.Ending = Stopped
		case exitUnsupported:
			o.Ending = Unsupported
		default:
			o.Said += " " + cmd.ProcessState.String()
		}
		lines := bufio.NewScanner(&out)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				o.Messages = append(o.Messages, line)
			}
		}
		return o
	}
}
