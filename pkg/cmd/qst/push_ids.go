package main

import (
	"encoding/json"
	"fmt"

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
