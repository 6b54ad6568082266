// Package webhook brings the messages of a queue to the URL that an operator gave the queue:
// the service pushes, as a client of QSTv2 does.
//
// A [Worker] runs in a process of its own, beside the API. Any number of workers share the
// queues that have a webhook: each queue is one worker's at a time.
//
// # Whose queue
//
// Each worker says every two seconds that it lives. Of those that live, the one with the highest
// hash of its name and the queue's is to have the queue: all workers reckon the same, and nobody
// assigns. One that ends says so, and is heard until its requests have ended: it is to have no queue any
// more, and nobody takes one from it. To have a queue is a lease with a fencing token (lua/claim.lua). A lease is taken from
// a worker that gave it back, or has not been heard for [leaseTTL]. What a worker does to a queue
// (confirm, make a dead letter, note what is sent) is refused with an old token, and a worker that was not
// heard itself for too long sends nothing until it has asked again. So a worker that froze does no
// harm when it goes on.
//
// # A batch
//
// A queue's delivery waits for messages like a poll does: its worker reads one wake stream for all
// its queues. Before a batch is sent the first time, its size is noted in Redis. What was read and
// not confirmed is read again first, so a worker that takes over reads the same batch, and sends
// the same bytes with the same id.
//
// # The way out
//
// [Client] resolves, refuses addresses that are not public, signs, and reads a bounded answer. A
// host that fails gets fewer requests at a time, then one now and then; its queues wait without
// holding a place or a batch, and the other hosts' queues do not notice.
package webhook
