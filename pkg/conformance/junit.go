package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitReason `xml:"failure"`
	Skipped *junitReason `xml:"skipped"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as the XML that CI systems read.
func (r Report) WriteJUnit(w io.Writer, name string) error {
	s := junitSuite{Name: name, Tests: len(r.Results), Failures: r.Failed, Skipped: r.Skipped, Time: inSeconds(r.Seconds)}
	for _, result := range r.Results {
		c := junitCase{Class: name + "." + string(result.Level), Name: result.Name, Time: inSeconds(result.Seconds)}
		why := strings.Join(result.Why, "\n")
		switch result.Verdict {
		case Failed:
			first, _, _ := strings.Cut(why, "\n")
			c.Failure = &junitReason{Message: first, Text: "It holds to: " + result.Holds + "\n\n" + why + "\n\n" + strings.Join(result.Exchanges, "\n\n")}
		case Skipped:
			c.Skipped = &junitReason{Message: why}
		case Passed:
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("writing JUnit's XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func inSeconds(s float64) string { return fmt.Sprintf("%.3f", s) }
