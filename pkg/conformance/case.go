package conformance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Level says what a case belongs to, and so whom it is about.
type Level string

// The levels.
const (
	// Wiki is what the protocol's authors wrote: each server of QSTv2 does it.
	Wiki Level = "wiki"
	// Contract is what docs/protocol.md adds to that and settles.
	Contract Level = "contract"
	// Limits is how a server answers what is beyond its limits. The limits differ, so
	// these cases run only when they are told: see [Target.Limits].
	Limits Level = "limits"
	// Version1 is QST version 1, which a server need not speak.
	Version1 Level = "version1"
	// Reports is what phones on version 1 report of messages, for the application to pull.
	Reports Level = "reports"
	// Validity is that messages say how long they are of use, and that gateways report what became
	// of them, which a server need not know.
	Validity Level = "validity"
)

// Levels returns all levels, the basic ones first.
func Levels() []Level { return []Level{Wiki, Contract, Limits, Version1, Reports, Validity} }

// Case is one test of a server.
type Case struct {
	// Name is a path such as "json/refused/a property twice". No two cases have the same.
	Name string
	// Holds is the sentence of docs/protocol.md, or of the wiki, that the case holds a
	// server to.
	Holds string
	Level Level
	// Sends and Accepts say what goes to the server and what may come back, in short.
	// They are empty where a case is more than one request.
	Sends, Accepts string

	needs func(t Target) string // says what the target lacks; nil: it needs nothing
	run   func(t *exam)
}

func needsGrant(t Target) string {
	if t.Grant == nil {
		return "it needs channels of its own making, each with credentials"
	}
	return ""
}

func needsLogin(t Target) string {
	if t.Grant == nil && t.User == "" {
		return "it needs a server that asks for credentials"
	}
	return ""
}

func needsSecond(t Target) string {
	if t.Second == "" {
		return "it needs the URL of a second replica"
	}
	return ""
}

// Cases returns the cases for servers, those about the same thing together.
func Cases() []Case {
	var l []Case
	for _, group := range []func() []Case{
		routing, channelNames, methods, contentTypes, gzipped, jsonTaken, jsonText, jsonRefused,
		xmlTaken, xmlRefused, xmlEntities, charsets, pushAnswers, order, duplicates,
		pullParameters, pullAnswers, accepted, etagForms, foreignETags, confirming, confirmingOnly,
		repetition, receipts, validity, deliveryReports, longPolling, superseding, bounds, limitCases, credentialCases, version1, version1Dialogues, reports,
	} {
		l = append(l, group()...)
	}
	return l
}

// Select returns the cases of the given levels (none: all) whose names match the
// expression (nil: all).
func Select(cases []Case, names *regexp.Regexp, levels ...Level) []Case {
	return slices.DeleteFunc(slices.Clone(cases), func(c Case) bool {
		return len(levels) > 0 && !slices.Contains(levels, c.Level) || names != nil && !names.MatchString(c.Name)
	})
}

// Verdict is what a case comes to.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "passed"
	Failed  Verdict = "failed"
	Skipped Verdict = "skipped" // the target has not what the case needs
)

// Result is what came of a case.
type Result struct {
	Name    string  `json:"name"`
	Level   Level   `json:"level"`
	Holds   string  `json:"holds"`
	Verdict Verdict `json:"verdict"`
	// Why has what was wrong of a case that failed, and what was missing of one that was
	// skipped.
	Why []string `json:"why,omitempty"`
	// Exchanges are the last requests and answers of a case that failed.
	Exchanges []string `json:"exchanges,omitempty"`
	Seconds   float64  `json:"seconds"`
}

// Run runs the case. It returns when everything that the case began has ended.
func (c Case) Run(ctx context.Context, target Target) Result {
	r := Result{Name: c.Name, Level: c.Level, Holds: c.Holds, Verdict: Skipped}
	if c.needs != nil {
		if missing := c.needs(target); missing != "" {
			r.Why = []string{missing}
			return r
		}
	}
	start := time.Now()
	t := newExam(ctx, target)
	t.perform(c.run)
	r.Seconds = time.Since(start).Seconds()
	r.Verdict, r.Why = Passed, t.failures
	if len(t.failures) > 0 {
		r.Verdict, r.Exchanges = Failed, t.exchanges
	}
	return r
}

// group makes cases that are about the same sentence.
type group struct {
	name  string // where their names begin
	level Level
	holds string
	cases []Case
}

func about(level Level, name, holds string) *group {
	return &group{name: name, level: level, holds: holds}
}

// add adds a case that is code.
func (g *group) add(name string, run func(t *exam)) *Case {
	g.cases = append(g.cases, Case{Name: g.name + "/" + name, Level: g.level, Holds: g.holds, run: run})
	return &g.cases[len(g.cases)-1]
}

// all returns the cases of groups.
func all(groups ...*group) []Case {
	var l []Case
	for _, g := range groups {
		l = append(l, g.cases...)
	}
	return l
}

// excerpt is the beginning of a text, in one line.
func excerpt(s string, most int) string {
	more := ""
	if len(s) > most {
		s, more = s[:most], fmt.Sprintf("… (%d bytes)", len(s))
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		s = strings.Trim(fmt.Sprintf("%q", s), `"`)
	}
	return s + more
}
