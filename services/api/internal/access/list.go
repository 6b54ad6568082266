package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// MaxPage is the most channels that a page looks at.
const MaxPage = 1000

// Query says which channels to list.
type Query struct {
	Prefix string // of their names
	Label  string // "name=value", or "name" for any value; "": all
	After  string // the page before ended with this name; "": the first page
	Limit  int    // channels to look at, 1 to MaxPage
}

// Page is a part of the list of channels, in the order of their names.
type Page struct {
	Channels []Channel
	// Next is After of the next page; "": this is the last one. With a label, a page
	// holds those of the channels it looked at that have it: perhaps none.
	Next string
}

// List lists channels. Those that came to be by being used (QST_AUTH=none) are
// there, too, with nothing but a name.
//
// Each partition has its channels in order (ZRANGEBYLEX, which costs what it
// returns); the page is merged from the partitions' beginnings.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	from := "[" + q.Prefix
	if q.After != "" && q.After >= q.Prefix {
		from = "(" + q.After
	}
	to := "+"
	if q.Prefix != "" {
		to = "(" + q.Prefix + "\xff" // names are ASCII
	}
	pipe := s.rdb.Pipeline()
	var parts []*redis.StringSliceCmd
	for _, key := range s.layout.AllChannels() {
		parts = append(parts, pipe.ZRangeByLex(ctx, key, &redis.ZRangeBy{Min: from, Max: to, Count: int64(q.Limit) + 1}))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Page{}, unavailable(err)
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.Val()...)
	}
	slices.Sort(names)
	var page Page
	if len(names) > q.Limit {
		names = names[:q.Limit]
		page.Next = names[q.Limit-1]
	}

	pipe = s.rdb.Pipeline()
	records := make([]*redis.SliceCmd, len(names))
	for i, name := range names {
		records[i] = pipe.HMGet(ctx, s.layout.Record(name), fieldChannel, fieldRevision)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Page{}, unavailable(err)
	}
	for i, name := range names {
		c := Channel{Name: name}
		if text, ok := records[i].Val()[0].(string); ok {
			if err := json.Unmarshal([]byte(text), &c); err != nil {
				return Page{}, fmt.Errorf("record of channel %s: %w", name, err)
			}
			revision, _ := records[i].Val()[1].(string)
			_, _ = fmt.Sscan(revision, &c.Revision) // 0 where it isn't a number
		}
		if q.Label == "" || c.hasLabel(q.Label) {
			page.Channels = append(page.Channels, c)
		}
	}
	return page, nil
}

func (c Channel) hasLabel(label string) bool {
	name, value, valued := strings.Cut(label, "=")
	have, ok := c.Labels[name]
	return ok && (!valued || have == value)
}
