package sms_test

import (
	"fmt"

	"github.com/queuestatetransfer/qst/pkg/sms"
)

func ExampleMeasure() {
	for _, text := range []string{"It's 5 € today", "It’s 5 € today"} {
		c := sms.Measure(text)
		fmt.Printf("%s: %d part, %d left, outside of GSM-7: %q\n", c.Encoding, c.Parts, c.Left, string(c.Outside))
	}
	// Output:
	// GSM-7: 1 part, 145 left, outside of GSM-7: ""
	// UCS-2: 1 part, 56 left, outside of GSM-7: "’"
}
