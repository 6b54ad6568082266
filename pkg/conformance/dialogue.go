package conformance

import (
	"embed"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed version1
var dialogueFiles embed.FS

// version1Dialogues plays the dialogues in version1/*.txt, whose README says how they are
// written and what programs they are of.
func version1Dialogues() []Case {
	g := about(Version1, "version1/dialogue", "The dialogues that the service is tested with, and the programs they are taken from, are in")
	files, err := fs.Glob(dialogueFiles, "version1/*.txt")
	if err != nil {
		panic(err) // the pattern is good
	}
	for _, file := range files {
		text, err := dialogueFiles.ReadFile(file)
		if err != nil {
			panic(err) // it was listed
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "version1/"), ".txt")
		g.add(name, func(t *exam) { t.play(string(text)) }).needs = needsPhones
	}
	return all(g)
}

// play plays a dialogue, its exchanges at the two replicas in turn.
func (t *exam) play(text string) {
	p := phone{t: t, account: "acme-" + random()}
	if strings.Contains(text, "me%40example.org") {
		p.account = "me@" + random() + ".example.org"
	}
	p = p.connected(false)
	escaped := strings.ReplaceAll(p.account, "@", "%40")
	_, login, _ := strings.Cut(basic("phone", p.password), "Basic ")
	here := strings.NewReplacer(
		"/v1/acme/", "/v1/"+escaped+"/", "/v1/me%40example.org/", "/v1/"+escaped+"/",
		"/v2/channels/acme.phone", p.channel, "/v2/channels/me@example.org.phone", p.channel,
		"Basic cGhvbmU6c2VjcmV0", "Basic "+login,
	)
	for i, exchange := range strings.Split(strings.TrimSpace(text), "\n\n") {
		t.exchange([]replica{t.a, t.b}[i%2], here.Replace(exchange))
	}
}

// exchange sends what the ">" lines say and holds the answer against "<".
func (t *exam) exchange(r replica, text string) {
	var sent, want []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch mark, rest, _ := strings.Cut(line, " "); mark {
		case ">":
			sent = append(sent, rest)
		case "<":
			want = append(want, rest)
		case "#":
		default:
			t.fatalf("a line of a dialogue that is none of > < #: %q", line)
		}
	}
	method, path, _ := strings.Cut(sent[0], " ")
	headers, body := headersAndBody(sent[1:])
	if !strings.HasPrefix(path, channelsPath) && !strings.Contains(strings.Join(headers, "\n"), "Authorization") {
		headers = append(headers, noLogin)
	}
	a := t.do(r, method, path, body, headers...)
	status, _ := strconv.Atoi(want[0])
	wantHeaders, wantBody := headersAndBody(want[1:])
	if a.Status != status {
		t.fatalf("%s: %d %s, want %d", sent[0], a.Status, a.Body, status)
	}
	for _, h := range wantHeaders {
		name, value, _ := strings.Cut(h, ": ")
		if value == "none" {
			value = ""
		}
		if a.Header.Get(name) != value {
			t.fatalf("%s: %s is %q, want %q", sent[0], name, a.Header.Get(name), value)
		}
	}
	if wantBody != "" && a.Body != wantBody {
		t.fatalf("%s: %s, want %s", sent[0], a.Body, wantBody)
	}
}

// headersAndBody takes lines apart into headers and what follows the empty line.
func headersAndBody(lines []string) (headers []string, body string) {
	for i, line := range lines {
		if line == "" {
			return lines[:i], strings.Join(lines[i+1:], "\n")
		}
	}
	return lines, ""
}
