// Package queue keeps the queues of QST's channels in Redis and lets requests
// wait for messages.
//
// It has one job: [Store.Push] puts a batch into a queue, all or nothing;
// [Store.Pull] confirms, reads, and waits. Each is one Lua script and so one
// atomic step in Redis; lua/*.lua say what each script reads, writes and
// returns, keys.go builds every key.
//
// # A message's life
//
//	Push   XADD to the queue's stream (unless its digest was seen), wake the waiter
//	Pull   XCLAIM what was delivered before and is not confirmed, then XREADGROUP what is new
//	Pull   with the ETag of an earlier answer: XACK up to it, XTRIM it away
//
// # Waiting
//
// A pull that finds nothing and may wait writes itself into the queue's waiter
// key, in the same script, so that no message slips in between. The next push
// drops that key and tells the waiter's replica through the replica's wake
// stream of that partition. Each replica reads its wake streams with one
// blocked connection a partition, however many polls it holds. What is read
// there only names the poll to look again: messages are read by live requests
// alone, so a poll whose client is gone takes none with it.
//
// The wake stream is the fast path. The fallback: whenever a reader could have
// missed a wake (its connection failed, its stream was lost), every poll of
// that partition looks again by itself.
//
// The package knows nothing of HTTP.
package queue
