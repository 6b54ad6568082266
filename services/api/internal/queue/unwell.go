package queue

import (
	"slices"
	"strconv"
	"time"
)

// Condition is what is wrong with a channel, in a word.
type Condition string

// The conditions of a channel that is not well.
const (
	WaitingUnpolled   Condition = "waiting_unpolled"   // messages wait, and nobody polls
	PushOnly          Condition = "push_only"          // the same, and the party that is to poll pushes
	PolledUnconfirmed Condition = "polled_unconfirmed" // a client polls and never confirms
	SameBatch         Condition = "same_batch"         // the same: it was given the same messages again and again
	Stopped401        Condition = "stopped_401"        // a client was answered 401, and has not been seen since
	Superseding       Condition = "superseding"        // two clients supersede each other's polls
	Quiet             Condition = "quiet"              // no client was seen for five times the channel's usual gap
)

// Conditions are all conditions.
func Conditions() []Condition {
	return []Condition{WaitingUnpolled, PushOnly, PolledUnconfirmed, SameBatch, Stopped401, Superseding, Quiet}
}

const (
	// unconfirmedTimes is how often a first message went out that was given to a client that never confirms.
	unconfirmedTimes = 3
	// sameBatchTimes is how often it went out when it counts as the same again and again.
	sameBatchTimes = 10
	// quietTimes is how many usual gaps a channel is silent for that is quiet.
	quietTimes = 5
	// gapsKnown is how many gaps make a channel's usual one; see lua/note.lua for how many are kept.
	gapsKnown = 10
)

// signs are what is known of a queue, to tell how its channel is.
type signs struct {
	messages, pending  int64
	deliveries         int64 // of the first message
	oldest             time.Time
	waiting            bool // a poll waits now
	pushed, pulled     time.Time
	confirmed, refused time.Time
	superseded         time.Time // when two clients were last found to supersede each other
}

// sides are the parties of a channel: what each pushes into and pulls from.
var sides = []struct{ pushes, pulls Kind }{{Inbound, Outbound}, {Outbound, Inbound}, {Mailbox, Mailbox}}

// diagnose tells what is wrong with a channel, and since when. after is how long something lasts
// before it counts.
func diagnose(now time.Time, after time.Duration, queues map[Kind]signs) map[Condition]time.Time {
	found := make(map[Condition]time.Time)
	add := func(c Condition, since time.Time) {
		if have, ok := found[c]; !ok || since.Before(have) {
			found[c] = since
		}
	}
	lately := func(t time.Time) bool { return now.Sub(t) < after }
	for _, side := range sides {
		pushes, pulls := queues[side.pushes], queues[side.pulls]
		used := latest(pushes.pushed, pulls.pulled)
		// Who was never let in is somebody who tries, and no client that stopped.
		if !used.IsZero() && pulls.refused.After(used) && !lately(used) && !pulls.waiting {
			add(Stopped401, used)
		}
		if !pulls.superseded.IsZero() && lately(pulls.superseded) {
			add(Superseding, pulls.superseded)
		}
		if pulls.messages == 0 || lately(pulls.oldest) {
			continue
		}
		switch polls := pulls.waiting || lately(pulls.pulled); {
		case !polls && side.pushes != side.pulls && lately(pushes.pushed):
			add(PushOnly, latest(pulls.oldest, pulls.pulled))
		case !polls:
			add(WaitingUnpolled, latest(pulls.oldest, pulls.pulled))
		case pulls.pending == 0 || lately(pulls.confirmed):
		case pulls.deliveries >= sameBatchTimes:
			add(SameBatch, latest(pulls.oldest, pulls.confirmed))
		case pulls.deliveries >= unconfirmedTimes:
			add(PolledUnconfirmed, latest(pulls.oldest, pulls.confirmed))
		}
	}
	return found
}

// latest returns the later one of two times.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// hoursAround are the hours of the day (UTC) at which a gap began that is like one that begins at a time.
func hoursAround(t time.Time) []string {
	h := t.UTC().Hour()
	return []string{strconv.Itoa((h + 23) % 24), strconv.Itoa(h), strconv.Itoa((h + 1) % 24)}
}

// quietAfter returns how long a channel is silent that is quiet, by its last gaps: five times the
// usual one, which nine in ten are not longer than, and longer than its nights and weekends: half as long
// again as the longest gap of late that began at about that hour. 0: too little is known.
func quietAfter(gaps, atThatHour []time.Duration, after time.Duration) time.Duration {
	if len(gaps) < gapsKnown {
		return 0
	}
	gaps = slices.Sorted(slices.Values(gaps))
	limit := max(after, quietTimes*gaps[(len(gaps)*9-1)/10])
	for _, gap := range atThatHour {
		limit = max(limit, gap+gap/2)
	}
	return limit
}
