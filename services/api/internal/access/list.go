package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
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
	// Next is After of the next page; "": this is the last one. A page may hold fewer
	// channels than the limit without being the last one; with a label it holds those
	// of the channels it looked at that have it, perhaps none.
	Next string
}

// List lists channels. Those that came to be by being used (QST_AUTH=none) are
// there, too, with nothing but a name.
//
// Each partition has its channels in order (ZRANGEBYLEX, which costs what it
// returns), and is asked for twice its share of the page. The page is merged from
// what they give, as far as it is whole: up to the first end of a partition that
// has more.
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
	partitions := s.layout.Partitions()
	share := 2*q.Limit/len(partitions) + 16
	pipe := s.rdb.Pipeline()
	parts := make([]*redis.StringSliceCmd, len(partitions))
	for i, p := range partitions {
		parts[i] = pipe.ZRangeByLex(ctx, p.Channels(), &redis.ZRangeBy{Min: from, Max: to, Count: int64(share)})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Page{}, storage.Unavailable(err)
	}
	var page Page
	var names []string
	for _, p := range parts {
		names = append(names, p.Val()...)
		if n := len(p.Val()); n == share && (page.Next == "" || p.Val()[n-1] < page.Next) {
			page.Next = p.Val()[n-1]
		}
	}
	slices.Sort(names)
	if page.Next != "" {
		end, _ := slices.BinarySearch(names, page.Next)
		names = names[:end+1]
	}
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
		return Page{}, storage.Unavailable(err)
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
