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
	// Among are the names of the only channels that there may be, in order; nil: all.
	Among []string
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
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	names, next, err := s.names(ctx, q)
	if err != nil {
		return Page{}, err
	}
	page := Page{Next: next}
	if len(names) > q.Limit {
		names = names[:q.Limit]
		page.Next = names[q.Limit-1]
	}

	pipe := s.rdb.Pipeline()
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

// names returns names of channels that are asked for, in order, and the last of them if there may be
// more.
//
// Each partition has its channels in order (ZRANGEBYLEX, which costs what it
// returns), and is asked for twice its share of the page. The page is merged from
// what they give, as far as it is whole: up to the first end of a partition that
// has more.
func (s *Store) names(ctx context.Context, q Query) (names []string, next string, err error) {
	if q.Among != nil {
		names, err = s.there(ctx, slices.DeleteFunc(slices.Clone(q.Among), func(name string) bool {
			return name <= q.After || !strings.HasPrefix(name, q.Prefix)
		}))
		return names, "", err
	}
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
		return nil, "", storage.Unavailable(err)
	}
	for _, p := range parts {
		names = append(names, p.Val()...)
		if n := len(p.Val()); n == share && (next == "" || p.Val()[n-1] < next) {
			next = p.Val()[n-1]
		}
	}
	slices.Sort(names)
	if next != "" {
		end, _ := slices.BinarySearch(names, next)
		names = names[:end+1]
	}
	return names, next, nil
}

// there returns those of some names that channels have.
func (s *Store) there(ctx context.Context, names []string) ([]string, error) {
	pipe := s.rdb.Pipeline()
	found := make(map[string]*redis.FloatCmd, len(names))
	for _, name := range names {
		found[name] = pipe.ZScore(ctx, s.layout.Partition(name).Channels(), name)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, storage.Unavailable(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return found[name].Err() != nil }), nil
}

func (c Channel) hasLabel(label string) bool {
	name, value, valued := strings.Cut(label, "=")
	have, ok := c.Labels[name]
	return ok && (!valued || have == value)
}
