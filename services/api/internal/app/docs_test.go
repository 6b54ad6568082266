package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// What the documents tell a reader to type is typed here, each document from top to
// bottom in one shell, against a service of its own:
//
//   - a code block that begins with "$ " is a transcript: what each command prints must
//     be what stands below it, but for what varies (see vary);
//   - a block of the language sh, or a comment "<!-- sh", which readers don't see, is a
//     script: each of its commands must succeed;
//   - other blocks are no commands, and may have none that could be run.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	const token = "QST_ADMIN_TOKEN=the-token-of-the-documents"
	for _, c := range []struct {
		file  string
		redis string
		env   []string // of the service
	}{
		{file: "README.md", redis: "embedded"}, // as make run has it
		{file: "docs/protocol.md", redis: s.URL()},
		{file: "docs/admin.md", redis: redistest.Start(t).URL(), env: []string{token, "QST_AUTH=channels"}},
		{file: "docs/phones.md", redis: "embedded", env: []string{token, "QST_AUTH=channels"}},
		{file: "docs/conformance.md", redis: "embedded"},
		{file: "docs/cli.md", redis: redistest.Start(t).URL(), env: []string{token, "QST_AUTH=channels"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			steps := commands(t, c.file)
			r := startReplica(t, c.redis, c.env...)
			home := t.TempDir()
			here := strings.NewReplacer("http://localhost:8080", r.URL, "http://localhost:9090", r.Admin,
				"/run/secrets", home, "/var/lib", home, "/etc/bash_completion.d", home, "/usr/local/share/man/man1", home)
			there := strings.NewReplacer(r.URL, "http://localhost:8080", r.Admin, "http://localhost:9090", home, "/run/secrets", "\r", "")
			sh := startShell(t, home, append(c.env, "HOME="+home)...)
			seen := variables{}
			for _, step := range steps {
				failed, got := sh.run(here.Replace(seen.actual(step.command)))
				got = there.Replace(got)
				switch {
				case step.script && failed != 0:
					t.Fatalf("%s:%d: status %d of\n%s\n%s", c.file, step.line, failed, step.command, got)
				case step.script:
				default:
					if err := seen.match(step.want, got); err != nil {
						t.Fatalf("%s:%d: $ %s\nprints\n%s\nnot\n%s\n(%v)", c.file, step.line, step.command, got, step.want, err)
					}
				}
			}
		})
	}
}

// typed is a command of a document.
type typed struct {
	line    int
	command string
	want    string // what it prints
	script  bool   // what it prints doesn't matter, its status does
}

// runnable is a line that could be a step.
var runnable = regexp.MustCompile(`(?m)^(curl|qst|admin) `)

// notRunnable are those that can't be, with the reason.
var notRunnable = map[string]string{
	"go install github.com/queuestatetransfer/qst/pkg/cmd/qst@latest\n": "what was published is not what is tested",
}

func commands(t *testing.T, file string) (steps []typed) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks(source) {
		at := 1 + strings.Count(string(source[:b.at]), "\n")
		switch {
		case b.language == "sh":
			steps = append(steps, typed{line: at, command: b.text, script: true})
		case strings.HasPrefix(b.text, "$ "):
			steps = append(steps, transcript(at, b.text)...)
		case runnable.MatchString(b.text) && notRunnable[b.text] == "":
			t.Errorf("%s:%d: commands that are not run: begin the block with \"$ \", or make it ```sh\n%s", file, at, b.text)
		}
	}
	if len(steps) == 0 {
		t.Errorf("%s has no commands", file)
	}
	return steps
}

func transcript(at int, text string) (steps []typed) {
	more := false // the command goes on
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, typed{line: at, command: command})
			more = strings.HasSuffix(command, "\\\n")
		} else if last := &steps[len(steps)-1]; more {
			last.command += line
			more = strings.HasSuffix(line, "\\\n")
		} else {
			last.want += line
		}
		at++
	}
	return steps
}

// block is a code block, or a comment, of a Markdown document.
type block struct {
	at             int // where its text begins
	language, text string
}

func blocks(source []byte) (l []block) {
	_ = ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() != ast.TypeBlock || n.Lines().Len() == 0 {
			return ast.WalkContinue, nil
		}
		b := block{at: n.Lines().At(0).Start, text: string(n.Lines().Value(source))}
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			b.language = string(n.Language(source))
		case *ast.CodeBlock:
		case *ast.HTMLBlock:
			script, ok := strings.CutPrefix(b.text, "<!-- sh\n")
			if !ok {
				return ast.WalkContinue, nil
			}
			b.language, b.text = "sh", strings.TrimSuffix(strings.TrimSpace(script), "-->")
		default:
			return ast.WalkContinue, nil
		}
		l = append(l, b)
		return ast.WalkContinue, nil
	})
	return l
}

// vary is what differs from run to run. The clock of the documents stands at the
// 23rd of November 2026; what else has a name is the same wherever it stands again.
var vary = regexp.MustCompile(strings.Join([]string{
	`(?P<time>2026-11-23T\d\d:\d\d:\d\d(?:\.\d+)?Z)`,
	`(?P<date>Mon, 23 Nov 2026 \d\d:\d\d:\d\d GMT)`,
	`(?P<etag>[0-9a-f]{16}-\d{13}-\d+)`,
	`(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})`,
	`(?P<entry>17954\d{8}-\d+)`,
	`(?P<revision>17954\d{8})`,
	`(?P<secret>\bk[A-Za-z0-9_-]{32})`,
	`(?P<id>\bk[A-Za-z0-9_-]{12})`,
	`(?P<rest>(?m:^…\n))`,
	`(?P<any>…)`,
}, "|"))

var varies = map[string]string{
	"time":     `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`,
	"date":     `\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`,
	"etag":     `[0-9a-f]{16}-\d{13}-\d+`,
	"uuid":     `[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"entry":    `\d{13}-\d+`,
	"revision": `\d{13}`,
	"secret":   `k[A-Za-z0-9_-]{32}`,
	"id":       `k[A-Za-z0-9_-]{12}`,
	"rest":     `(?:.*\n)*?`, // a line of its own: lines
	"any":      `.*?`,        // in a line: some of it
}

// variables are the values that what varies has in this run, by how they are written
// in the document.
type variables map[string]string

// actual returns a document's command as it is to be typed in this run.
func (v variables) actual(command string) string {
	return vary.ReplaceAllStringFunc(command, func(s string) string {
		if value, ok := v[s]; ok {
			return value
		}
		return s
	})
}

// match compares what a command printed with what the document says, and keeps the
// values of what varies.
func (v variables) match(want, got string) error {
	want, got = trim(want), trim(got)
	pattern, end := `^`, 0
	var names []string // as the document writes them
	for _, at := range vary.FindAllStringSubmatchIndex(want, -1) {
		pattern += regexp.QuoteMeta(want[end:at[0]])
		end = at[1]
		name := want[at[0]:end]
		for i, kind := range vary.SubexpNames() {
			if i == 0 || at[2*i] < 0 {
				continue
			}
			switch value, known := v[name]; {
			case known:
				pattern += regexp.QuoteMeta(value)
			case kind == "time" || kind == "date" || kind == "any" || kind == "rest":
				pattern += varies[kind] // each time another one
			default:
				pattern += "(" + varies[kind] + ")"
				names = append(names, name)
			}
		}
	}
	found := regexp.MustCompile(pattern + regexp.QuoteMeta(want[end:]) + `$`).FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("no match")
	}
	for i, name := range names {
		if value, known := v[name]; known && value != found[i+1] {
			return fmt.Errorf("%s is %s, and %s", name, value, found[i+1])
		}
		v[name] = found[i+1]
	}
	return nil
}

// trim drops white space where nobody sees it.
func trim(s string) string {
	return regexp.MustCompile(`[ \t]+\n`).ReplaceAllString(strings.TrimSpace(s)+"\n", "\n")
}

// shell is a bash that is given one command after the other.
type shell struct {
	t        *testing.T
	commands io.Writer
	statuses *bufio.Scanner
	output   string // file
}

// startShell starts a bash in which curl and qst behave as they do on a terminal. Its
// environment is env and the PATH.
func startShell(t *testing.T, home string, env ...string) *shell {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install %s, or run make test, which does", err, program)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "--norc")
	cmd.Dir = home
	cmd.Env = append(slices.Clip(env), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "CURL_HOME="+home, "NO_COLOR=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); cancel(); _ = cmd.Wait() })
	if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte("no-progress-meter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sh := &shell{t: t, commands: in, statuses: bufio.NewScanner(out), output: filepath.Join(home, "output")}
	// What a command prints goes to a file: only what is piped on goes into a pipe.
	sh.run(`set -o pipefail
trap failed=\$? ERR
qst() {
	if [ -p /dev/stdout ]; then command qst "$@"; else command qst --output text "$@"; fi
}`)
	return sh
}

// run returns the status of the last part of a command that failed, or 0, and what the
// command printed.
func (s *shell) run(command string) (status int, output string) {
	s.t.Helper()
	quoted := "'" + strings.ReplaceAll(command, "'", `'\''`) + "'"
	fmt.Fprintf(s.commands, "failed=0; eval %s </dev/null >%s 2>&1; echo $failed\n", quoted, s.output)
	if !s.statuses.Scan() {
		s.t.Fatalf("the shell ended, or took too long, at: %s", command)
	}
	status, err := strconv.Atoi(s.statuses.Text())
	if err != nil {
		s.t.Fatal(err)
	}
	printed, err := os.ReadFile(s.output)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, string(printed)
}

// What make run says to try is the README's tour.
func TestServeSuggestsTheTour(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(repository, ".ci/serve"))
	if err != nil {
		t.Fatal(err)
	}
	open, _, _ := strings.Cut(string(script), "\nhints_with_credentials()") // TestServeWithCredentials has the rest
	suggested := regexp.MustCompile(`(?m)^\s+(curl .*)$`).FindAllStringSubmatch(open, -1)
	if len(suggested) < 4 {
		t.Fatalf("%d suggestions", len(suggested))
	}
	tour := commands(t, "README.md")
	for _, s := range suggested {
		want := strings.ReplaceAll(s[1], "$channel", "http://localhost:8080/v2/channels/demo")
		if !slices.ContainsFunc(tour, func(c typed) bool { return variables{}.match(want, c.command) == nil }) {
			t.Errorf(".ci/serve suggests what README.md has not:\n%s", want)
		}
	}
}
