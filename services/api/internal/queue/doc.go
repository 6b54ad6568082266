// Package queue keeps the queues of QST's channels in Redis and lets requests
// wait for messages. It knows nothing of HTTP, and does not look into messages.
//
// What clients do is [Queues]: [Queues.Push] puts a batch into a queue, all or nothing;
// [Queues.Pull] confirms, reads, and waits. Each is one Lua script and so one
// atomic step in Redis; lua/*.lua say what each script takes and returns, lua/lib/queue.lua
// has every key and the queue's state. What operators ask is [Operator]. In the background run
// a reader of wake streams, the sweeper of what is over its age, the activity (who used which
// queue), and the rebalancer of polls.
//
// # A message's life
//
//	Push   XADD to the queue's stream (unless its digest was seen), and hand off to the waiter
//	Pull   XCLAIM what was delivered before and is not confirmed, then XREADGROUP what is new
//	Pull   with the ETag of an earlier answer: XACK up to it, XTRIM it away
//
// # Waiting
//
// A pull that finds nothing and may wait becomes the queue's waiter, in the same script, so that
// no message slips in between. The next push delivers to the waiter what it would read, and hands
// that over: in memory if the poll is of the same replica, else through the wake stream of the
// poll's replica. What is handed to a poll that has ended is given back, and does not count.
//
// Hand-off is the fast path. The fallbacks: whenever a reader could have missed an entry (its
// connection failed, its stream was lost), or the answer to a push was lost, the polls concerned
// look again; and no poll is answered empty without a last look.
package queue
