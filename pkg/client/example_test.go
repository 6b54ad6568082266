package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

func ExampleNew() {
	c, err := client.New("https://qst.example.org/v2/channels/acme/application",
		client.WithBasicAuth("acme", "s3cret"),
		client.WithRetry(time.Second, time.Minute, 5*time.Minute),
	)
	fmt.Println(c.URL(), err)
	// Output: https://qst.example.org/v2/channels/acme/application <nil>
}

func ExampleClient_Push() {
	server := httptest.NewServer(&takeAll{}) // in place of a service
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := c.Push(context.Background(),
		qst.Message{To: "sms://838383", Body: "Fish & chips"},
		qst.Message{To: "sms://838384", Body: "Peas"},
	)
	fmt.Printf("%+v %v\n", result, err)
	// Output: {Accepted:2 Duplicates:0} <nil>
}

// What each class of error asks for.
func ExampleClient_Push_errors() {
	server := httptest.NewServer(&takeAll{refuse: func(batch []qst.Message, _ []byte) int {
		for _, m := range batch {
			if m.Body == "" {
				return 400
			}
		}
		return 200
	}})
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	msgs := []qst.Message{{ID: "1", Body: "a"}, {ID: "2"}, {ID: "3", Body: "c"}}
	for len(msgs) > 0 {
		result, err := c.Push(context.Background(), msgs...)
		fmt.Println("stored:", result.Accepted+result.Duplicates)
		if err == nil {
			return
		}
		var (
			refused *client.RejectedError
			stop    *client.EndpointError
		)
		switch {
		case errors.As(err, &refused):
			fmt.Println("set aside:", refused.ID)
			msgs = msgs[refused.Index+refused.Count:]
		case errors.As(err, &stop):
			fmt.Println("someone has to look at this:", err)
			return
		default:
			fmt.Println("keep msgs, and push them again later:", err)
			return
		}
	}
	// Output:
	// stored: 1
	// set aside: 2
	// stored: 1
}

func ExampleClient_Pull() {
	server := httptest.NewServer(newFakeQueue(5)) // in place of a service with five messages
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := client.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	handle := func(name string, give int) {
		store := client.NewFileStore(filepath.Join(dir, "place"))
		for msg, err := range c.Pull(context.Background(), client.PullOptions{Store: store, UntilEmpty: true}) {
			if err != nil {
				fmt.Println(err)
				return
			}
			if give--; give < 0 {
				fmt.Println(name, "fails at", msg.Body)
				return // msg was not handled
			}
			fmt.Println(name, "handles", msg.Body)
		}
	}
	handle("one program", 2)
	handle("the next one", 100)
	// Output:
	// one program handles 0
	// one program handles 1
	// one program fails at 2
	// the next one handles 2
	// the next one handles 3
	// the next one handles 4
}

func ExampleClient_PullBatches() {
	server := httptest.NewServer(newFakeQueue(5)) // in place of a service with five messages
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	for msgs, err := range c.PullBatches(context.Background(), client.PullOptions{Max: 2, UntilEmpty: true}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(msgs), "messages in one transaction")
	}
	// Output:
	// 2 messages in one transaction
	// 2 messages in one transaction
	// 1 messages in one transaction
}
