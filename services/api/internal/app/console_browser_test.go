package app_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	pages "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "folder to write the pictures of docs/console.md into")

// browser is a Chromium that shows the console of a replica.
type browser struct {
	t      *testing.T
	ctx    context.Context
	origin string
	axe    string // axe-core, a script

	mu       sync.Mutex
	problems []string // what a page must not do
	expected string   // the status that a request is to be refused with, in what Chromium logs; "": none
	started  map[string]bool
}

// testProgram returns what an environment variable names, or what .ci/install has got.
func testProgram(t *testing.T, variable, what string, programs []string, files ...string) string {
	t.Helper()
	if named := os.Getenv(variable); named != "" {
		return named
	}
	for _, p := range programs {
		if found, err := exec.LookPath(p); err == nil {
			return found
		}
	}
	for _, f := range files {
		if found, _ := filepath.Glob(filepath.Join(repository, "bin", f)); len(found) > 0 {
			path, err := filepath.Abs(found[len(found)-1])
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	t.Fatalf(".ci/install %s gets what this test needs; %s names one that is there", what, variable)
	return ""
}

// startBrowser opens the console in a browser of its own.
func startBrowser(t *testing.T, r *replica) *browser {
	t.Helper()
	program := testProgram(t, "QST_TEST_BROWSER", "browser", []string{"chromium", "google-chrome"}, "browser/chromium")
	axe, err := os.ReadFile(testProgram(t, "QST_TEST_AXE", "axe", nil, "axe-*.js"))
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	b := &browser{t: t, origin: r.Admin, axe: string(axe), started: map[string]bool{}}
	var closeTab context.CancelFunc
	b.ctx, closeTab = chromedp.NewContext(allocator, chromedp.WithListener(b.listen))
	t.Cleanup(closeTab)
	// The browser ends with the context that it was started with: not one of a step.
	if err := chromedp.Do(b.ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	command(b, network.Enable, network.EnableParams{})
	command(b, log.Enable, cdp.Empty{})
	b.size(1280, 800)
	b.do(chromedp.Navigate(r.Admin + "/console"))
	b.see("Admin token")
	return b
}

// listen notes what a page must not do: errors, dialogs, requests elsewhere.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	problem := func(format string, args ...any) { b.problems = append(b.problems, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.started[e.Request.URL] = true
		// data: is the browser's own, for the icon of an input.
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			problem("a request to %s", e.Request.URL)
		}
	case *runtime.EventConsoleAPICalled:
		problem("console: %s %s", e.Type, e.Args[0].Value)
	case *runtime.EventExceptionThrown:
		problem("exception: %+v", e.ExceptionDetails)
	case *pages.EventJavascriptDialogOpening:
		problem("dialog: %s", e.Message)
	case *log.EventEntryAdded:
		if b.expected == "" || !strings.Contains(e.Entry.Text, b.expected) {
			problem("log: %s %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	}
}

// expect has a refusal with a status be no problem; "": from now on it is one.
func (b *browser) expect(status string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = status
}

// unharmed fails the test if the pages did what they must not.
func (b *browser) unharmed() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Error(p)
	}
	b.problems = nil
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page says:\n%s", err, b.text())
	}
}

// command has the browser do what its protocol calls a command.
func command[P, R any](b *browser, c cdp.Command[P, R], params P) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, c, params); err != nil {
		b.t.Fatal(err)
	}
}

// text is what the page says.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// see waits until the page says something.
func (b *browser) see(words string) {
	b.t.Helper()
	eventually(b.t, "the page shows it", func() error {
		if text := b.text(); !strings.Contains(text, words) {
			return fmt.Errorf("no %q in:\n%s", words, text)
		}
		return nil
	})
}

// script runs an expression in the page, and returns what it is.
func script[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.200s: %v", expression, err)
	}
	return v
}

// click clicks the button or link with that name, as a mouse does.
func (b *browser) click(name string) {
	b.t.Helper()
	b.do(chromedp.Click(fmt.Sprintf(`(//dialog//*[self::button or self::a][normalize-space()=%[1]q or @aria-label=%[1]q] | `+
		`//*[self::button or self::a][normalize-space()=%[1]q or @aria-label=%[1]q][not(//dialog)])[1]`, name)))
}

// fill types into the input with that id, in the place of what is there.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	in := chromedp.CSS("#" + id)
	b.do(chromedp.WaitVisible(in))
	script[string](b, fmt.Sprintf("document.getElementById(%q).value = ''", id))
	b.do(chromedp.SendKeys(in, text))
}

func (b *browser) open(hash string) {
	b.t.Helper()
	script[string](b, fmt.Sprintf("location.hash = %q", hash))
}

func (b *browser) size(width, height int64) {
	b.t.Helper()
	command(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
}

func (b *browser) scheme(scheme string) {
	b.t.Helper()
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// accessible has axe-core look at the page as it is, light and dark.
func (b *browser) accessible() {
	b.t.Helper()
	if !script[bool](b, `typeof axe === "object"`) {
		script[int](b, b.axe+";0")
	}
	for _, scheme := range []string{"dark", "light"} {
		b.scheme(scheme)
		found := script[string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}).`+
			`then((r) => r.violations.map((v) => ({rule: v.id, help: v.help, at: v.nodes.map((n) => n.html + " " + n.failureSummary)}))).then(JSON.stringify)`)
		if found != "[]" {
			b.t.Errorf("%s: %s", scheme, found)
		}
	}
}

// fits tells whether the page is no wider than the window.
func (b *browser) fits() {
	b.t.Helper()
	if over := script[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("the page is %d pixels wider than the window", over)
	}
}

// picture writes what the window shows for docs/console.md, where that is asked for.
func (b *browser) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil { //nolint:gosec // it is for everyone
		b.t.Fatal(err)
	}
}

// signIn signs in by the keyboard alone.
func (b *browser) signIn(token string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), token+"\r"))
}

// clickAt clicks what an XPath finds first.
func (b *browser) clickAt(xpath string) {
	b.t.Helper()
	first := "(" + xpath + ")[1]"
	b.do(chromedp.WaitVisible(first))
	// By the element and not by its place: what opened before may still be moving it.
	script[string](b, fmt.Sprintf("(document.evaluate(%q, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue.click(), '')", first))
}

// choose chooses an option of a select by its value.
func (b *browser) choose(id, value string) {
	b.t.Helper()
	b.do(chromedp.SetValue(chromedp.CSS("#"+id), value))
}
