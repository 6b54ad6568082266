package main

import (
	"context"
	"errors"
	"fmt"
)

// errNotConfirmed ends a command that a person did not confirm.
var errNotConfirmed = errors.New("not confirmed: nothing was done")

// confirm has a person type word before something is done that can't be undone. Nobody
// being there, instead says what a program would have to give.
func (a *app) confirm(ctx context.Context, question, word, instead string) error {
	if !a.inTTY {
		return usagef("%s %s", question, instead)
	}
	fmt.Fprintf(a.err, "%s Type %s to go on: ", visible(question), visible(word))
	type typed struct {
		line string
		err  error
	}
	answer := make(chan typed, 1)
	go func() { // reading can't be interrupted; the program ends before it does
		line, err := firstLine(a.stdin)
		answer <- typed{line, err}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case got := <-answer:
		if got.err != nil {
			return got.err
		}
		if got.line == "" { // perhaps nobody is there
			fmt.Fprintln(a.err)
			return usagef("%s %s", question, instead)
		}
		if got.line != word {
			return errNotConfirmed
		}
		return nil
	}
}
