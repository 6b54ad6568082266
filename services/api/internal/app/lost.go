package app

import (
	"context"
	"math/rand/v2"
	"time"
)

// watchEvery is how often a replica looks whether Redis still holds its data.
const watchEvery = time.Second

// watch has the replica begin anew whenever Redis has lost its data, until ctx ends.
func (a *App) watch(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-a.gone:
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return
		}
		if a.data.Gone(ctx) {
			a.beginAnew(ctx)
		}
	}
}

// dataGone tells whether Redis has lost its data, and if so has the replica begin anew.
func (a *App) dataGone(ctx context.Context) bool {
	if !a.data.Gone(ctx) {
		return false
	}
	select {
	case a.gone <- struct{}{}:
	default: // it has been told
	}
	return true
}

// beginAnew takes the replica out of service until the data that it needs are in Redis.
func (a *App) beginAnew(ctx context.Context) {
	a.api.Suspend()
	a.log.ErrorContext(ctx, "REDIS HAS LOST ITS DATA: messages, channels and credentials are gone; requests are answered 503 until what QST_BOOTSTRAP_FILE names is there again",
		"key", a.guard.Layout.Stored())
	retry := prepareFirst
	for ctx.Err() == nil {
		// The bootstrap first: where the layout is, the channels are, for the other replicas, too.
		err := a.channels.Apply(ctx, a.bootstrap)
		if err == nil {
			err = a.guard.Prepare(ctx, a.scripts()...)
		}
		if err == nil {
			err = a.queues.LoadKey(ctx)
		}
		if err == nil {
			err = a.data.Begin(ctx)
		}
		if err == nil {
			if a.gate != nil {
				a.gate.Reset()
			}
			a.api.Serve()
			a.log.InfoContext(ctx, "serving again, with what QST_BOOTSTRAP_FILE names")
			return
		}
		a.log.WarnContext(ctx, "Redis can't take what QST_BOOTSTRAP_FILE names yet", "error", err)
		sleep(ctx, retry/2+rand.N(retry/2)) //nolint:gosec // spread, no secret
		retry = min(2*retry, prepareMost)
	}
}
