package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// writeIDs writes the ids of messages that are stored, one per line.
func (a *app) writeIDs(msgs []qst.Message) error {
	if a.output != "text" {
		e := json.NewEncoder(a.out)
		for _, m := range msgs {
			if err := e.Encode(map[string]string{"id": m.ID}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, m := range msgs {
		if _, err := fmt.Fprintln(a.out, visible(m.ID)); err != nil {
			return err
		}
	}
	return nil
}

// setReport makes the message a delivery report, if --report asks for one.
func (p *pushFlags) setReport() error {
	if p.report == "" {
		return nil
	}
	at := strings.LastIndexByte(p.report, '=')
	if at < 1 || !slices.Contains(qst.Statuses(), p.report[at+1:]) {
		return usagef("--report %q is not the id of a message, =, and one of %s", p.report, strings.Join(qst.Statuses(), ", "))
	}
	report := qst.NewReport(qst.Report{Message: p.report[:at], Status: p.report[at+1:]})
	if p.message.ID == "" {
		p.message.ID = report.ID
	}
	p.message.Properties = append(p.message.Properties, report.Properties...)
	p.one = true
	return nil
}
