package qst

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what testdata/golden/*.txt expects")

// TestGolden decodes the transcripts in testdata/golden and compares what comes out.
//
// A transcript is a comment and then sections, each after a line "-- name --".
// The first one, input.xml or input.json, is what came over the wire. The others are
// what this package makes of it: canonical (a line a message), output.json,
// output.xml; or error. To add one, write the input and run the test with -update.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, format, input := splitTranscript(t, text)
			got := slices.Concat(head, transcript(format, input))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, text) {
				t.Errorf("got\n%s\nwant\n%s", got, text)
			}
		})
	}
}

// splitTranscript returns a transcript up to the end of its input, and the
// input.
func splitTranscript(t *testing.T, text []byte) (head []byte, f Format, input []byte) {
	for _, f := range []Format{XML, JSON} {
		marker := []byte("-- input." + f.String() + " --\n")
		i := bytes.Index(text, marker)
		if i < 0 {
			continue
		}
		end := len(text)
		for _, next := range []string{"-- canonical --\n", "-- error --\n"} {
			if j := bytes.Index(text, []byte("\n"+next)); j >= 0 {
				end = min(end, j+1)
			}
		}
		return text[:end:end], f, text[i+len(marker) : end]
	}
	t.Fatal("no input")
	return
}

// transcript returns the sections after the input.
func transcript(f Format, input []byte) []byte {
	var b bytes.Buffer
	msgs, err := Decode(f, "", input, Limits{})
	if err != nil {
		status := map[error]int{ErrMalformed: 400, ErrTooLarge: 413, ErrUnsupportedType: 415}[errors.Unwrap(err)]
		fmt.Fprintf(&b, "-- error --\n%d %s\n", status, err)
		return b.Bytes()
	}
	b.WriteString("-- canonical --\n")
	for i := range msgs {
		b.Write(msgs[i].AppendCanonical(nil))
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "-- output.json --\n%s\n-- output.xml --\n%s\n", AppendJSON(nil, msgs), AppendXML(nil, msgs))
	return b.Bytes()
}

// goldenInputs returns the inputs of all transcripts in format f, as seeds for
// fuzzing.
func goldenInputs(tb testing.TB, f Format) [][]byte {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatal(files, err)
	}
	var inputs [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		_, after, ok := strings.Cut(string(text), "-- input."+f.String()+" --\n")
		if !ok {
			continue
		}
		input, _, _ := strings.Cut(after, "\n-- ")
		inputs = append(inputs, []byte(input))
	}
	return inputs
}
