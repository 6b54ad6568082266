package webhook

import (
	"context"
	"errors"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// What a delivery notes in Redis of how its webhook is.

// flush notes what went well. What can't be noted is noted with the next flush or note.
func (d *delivery) flush(ctx context.Context) {
	d.noting.Lock()
	defer d.noting.Unlock()
	d.mu.Lock()
	held := d.holding
	d.mu.Unlock()
	if held == nil {
		return
	}
	fields := d.undone()
	if len(fields) == 0 {
		return
	}
	if err := d.noted(context.WithoutCancel(ctx), *held, fields); err != nil && !errors.Is(err, errChanged) {
		d.w.log.DebugContext(ctx, "noting how a webhook is", "channel", d.name.Channel, "queue", d.name.Kind, "error", err)
	}
}

// note notes fields of the state now, with what is to be noted from before. Those that can't be
// noted are noted with the next flush or note.
func (d *delivery) note(ctx context.Context, fields ...any) error {
	d.noting.Lock()
	defer d.noting.Unlock()
	fields = append(d.undone(), fields...)
	if len(fields) == 0 {
		return nil
	}
	return d.noted(ctx, d.lease, fields)
}

// noted notes fields with a lease. The caller has locked noting.
func (d *delivery) noted(ctx context.Context, l lease, fields []any) error {
	err := d.w.opts.States.note(ctx, d.name, l.fence, l.life, l.revision, fields...)
	if err != nil && !errors.Is(err, errChanged) && !errors.Is(err, queue.ErrFenced) {
		d.putBack(l, fields)
	}
	return err
}

// putBack has fields noted later that could not be noted now, unless there are newer values.
func (d *delivery) putBack(l lease, fields []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holding == nil || d.holding.fence != l.fence {
		return // the lease is gone
	}
	newer := d.dirty
	d.dirty = make(map[string]any)
	d.set(fields)
	for name, value := range newer {
		d.dirty[name] = value
	}
}

// later has fields noted some time soon.
func (d *delivery) later(fields ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set(fields)
}

func (d *delivery) set(fields []any) {
	if d.dirty == nil {
		d.dirty = make(map[string]any)
	}
	for i := 0; i < len(fields); i += 2 {
		name, _ := fields[i].(string)
		d.dirty[name] = fields[i+1]
	}
}

// undone returns the fields that are to be noted; the caller notes them.
func (d *delivery) undone() (fields []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, value := range d.dirty {
		fields = append(fields, name, value)
	}
	d.dirty = nil
	return fields
}
