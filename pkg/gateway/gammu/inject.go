package gammu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// injectLimit ends a gammu-smsd-inject that does not end by itself: it tries to reach a database for
// a minute and a half.
const injectLimit = 3 * time.Minute

// forgotten is how long it is kept which text an id of SMSD's is.
const forgotten = 30 * 24 * time.Hour

var (
	written = regexp.MustCompile(`(?m)^Written message with ID (\d{1,20})$`)
	number  = regexp.MustCompile(`^\d{1,20}$`)
)

// inject hands a text to SMSD's backend, whichever that is, by gammu-smsd-inject, and keeps its id.
// A bridge that died in between can't tell whether the backend has the text.
func (g *Gateway) inject(ctx context.Context, t gateway.Text) error {
	n, err := g.waiting()
	if err != nil {
		return err
	}
	if n >= g.settings.OutboxMax {
		return gateway.ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, injectLimit)
	defer cancel()
	// The text goes to the standard input, because everyone can read a command line. -autolen has GSM's
	// alphabet used where that has all characters; it wants to know how much to read at the most. Of the line
	// ends at the end two are taken away.
	body := strings.ReplaceAll(t.Body, "\x00", "\ufffd")
	if strings.HasSuffix(body, "\n") {
		body += "\n\n"
	}
	cmd := exec.CommandContext(ctx, g.settings.Inject, "-c", g.settings.Smsdrc, "TEXT", t.To, "-autolen", strconv.Itoa(len(body))) //nolint:gosec // the user names it
	cmd.Stdin = strings.NewReader(body)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.WaitDelay = time.Second
	said, err := cmd.CombinedOutput()
	id := written.FindSubmatch(said)
	if err != nil || id == nil {
		err = fmt.Errorf("%s: %w: %s", g.settings.Inject, errors.Join(err, ctx.Err()), lastLine(said))
		if cmd.Process == nil { // it never ran
			err = fmt.Errorf("%w: %w", gateway.ErrNotHanded, err)
		}
		return err
	}
	if err := gateway.WriteFile(filepath.Join(g.injected, string(id[1])), []byte(t.Key)); err != nil {
		return err
	}
	if t.Again {
		return gateway.ErrDouble
	}
	return nil
}

func lastLine(said []byte) string {
	text := strings.TrimSpace(string(said))
	return text[strings.LastIndex(text, "\n")+1:]
}

// waiting counts the texts that SMSD has not sent, of the last minutes: SMSD does not tell which it
// has given up, and those must not stop the others. What is very old is forgotten.
func (g *Gateway) waiting() (n int, err error) {
	files, err := os.ReadDir(g.injected) // g.files is Run's
	for _, file := range files {
		info, err := file.Info()
		if err != nil { // it was sent meanwhile
			continue
		}
		switch age := time.Since(info.ModTime()); {
		case age < late:
			n++
		case age > forgotten:
			_ = os.Remove(filepath.Join(g.injected, info.Name())) // or the next time
		}
	}
	return n, err
}

// Sent is called by RunOnSent: SMSD has sent the message with the id in args. It writes that down for the
// bridge, which need not be running.
func (g *Gateway) Sent(args []string) error {
	if len(args) != 1 || !number.MatchString(args[0]) {
		return fmt.Errorf("%w: --sent wants the id that SMSD gives to RunOnSent, a number", gateway.ErrSettings)
	}
	if err := os.MkdirAll(g.sent, 0o770); err != nil { //nolint:gosec // as in Run
		return err
	}
	return gateway.WriteFile(filepath.Join(g.sent, args[0]), nil)
}

// confirmed reports what [Gateway.Sent] has written down.
func (g *Gateway) confirmed(b *gateway.Bridge) error {
	return g.files.Each(g.sent, func(path string, info fs.FileInfo) error {
		entry := filepath.Join(g.injected, info.Name())
		key, err := os.ReadFile(entry) //nolint:gosec // in the bridge's own directory
		if errors.Is(err, fs.ErrNotExist) {
			if time.Since(info.ModTime()) < patience { // SMSD was quicker than gammu-smsd-inject
				return nil
			}
			return os.Remove(path) // another program's
		}
		if err != nil {
			return err
		}
		if err := g.files.Report(b, path, string(key), gateway.Event{Status: gateway.Sent, At: info.ModTime(), Last: true}); err != nil {
			return err
		}
		return os.Remove(entry)
	})
}
