package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// errNotConforming says that cases failed. The report has said which.
var errNotConforming = fmt.Errorf("%w: cases failed", errFindings)

// conformanceProgress tells of cases as they end.
type conformanceProgress struct {
	*app

	progress

	total, ended, failed int
}

func (p *conformanceProgress) done(r conformance.Result) {
	p.ended++
	if r.Verdict == conformance.Failed {
		p.failed++
	}
	p.progress.clear()
	if p.output == "json" {
		line, _ := json.Marshal(r) //nolint:errchkjson // strings and numbers: can't fail
		fmt.Fprintf(p.out, "%s\n", line)
	} else {
		p.show(r)
	}
	p.progress.showf("%d of %d cases, %d failed", p.ended, p.total, p.failed)
}

// show writes what failed, and with --verbose the rest as well.
func (p *conformanceProgress) show(r conformance.Result) {
	if r.Verdict != conformance.Failed {
		if p.verbose {
			colour := map[conformance.Verdict]string{conformance.Passed: green, conformance.Skipped: dim}[r.Verdict]
			fmt.Fprintf(p.out, "%s  %s\n", p.paint(colour, fmt.Sprintf("%-7s", r.Verdict)), visible(r.Name))
		}
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s (%s)\n", p.paint(red, "FAILED "), visible(r.Name), r.Level)
	fmt.Fprintf(&b, "         holds to: %s\n", visible(r.Holds))
	for _, why := range r.Why {
		fmt.Fprintf(&b, "         %s\n", visible(why))
	}
	for _, e := range r.Exchanges {
		b.WriteString("\n")
		for line := range strings.Lines(e) {
			fmt.Fprintf(&b, "           %s\n", visible(strings.TrimRight(line, "\n")))
		}
	}
	fmt.Fprintf(p.out, "%s\n", b.String())
}

// concludeConformance writes the summary, and the files that are asked for. Its error is
// that of the call.
func (a *app) concludeConformance(n conformanceFlags, name string, report conformance.Report, err error) error {
	if err != nil {
		return fmt.Errorf("not all cases have run: %w", err)
	}
	if err := n.writeReports(name, report); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if a.output == "json" {
		line, err := json.Marshal(map[string]any{"passed": report.Passed, "failed": report.Failed, "skipped": report.Skipped, "seconds": report.Seconds})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s\n", line)
	} else if err := a.summarize(report); err != nil {
		return err
	}
	switch {
	case report.Failed > 0:
		return errNotConforming
	case report.Passed == 0:
		return usagef("no case could run: %s", strings.Join(report.Results[0].Why, "; "))
	}
	return nil
}

func (a *app) summarize(report conformance.Report) error {
	type counts map[conformance.Verdict]int
	levels := map[conformance.Level]counts{}
	skipped := map[string]int{}
	for _, r := range report.Results {
		if levels[r.Level] == nil {
			levels[r.Level] = counts{}
		}
		levels[r.Level][r.Verdict]++
		if r.Verdict == conformance.Skipped {
			skipped[strings.Join(r.Why, "; ")]++
		}
	}
	t := table{terminal: a.terminal, columns: []string{"LEVEL", "PASSED", "FAILED", "SKIPPED"}}
	rows := make([][]string, 0, len(levels))
	for _, l := range slices.Sorted(maps.Keys(levels)) {
		rows = append(rows, []string{string(l), fmt.Sprint(levels[l][conformance.Passed]), fmt.Sprint(levels[l][conformance.Failed]), fmt.Sprint(levels[l][conformance.Skipped])})
	}
	if err := t.write(rows); err != nil {
		return err
	}
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(a.out, "%d skipped: %s\n", skipped[why], visible(why))
	}
	_, err := fmt.Fprintf(a.out, "%d passed, %d failed, %d skipped, in %.1fs\n", report.Passed, report.Failed, report.Skipped, report.Seconds)
	return err
}
