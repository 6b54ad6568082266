// Package park keeps the connections of HTTP requests that wait for long.
//
// A request that waits in its handler keeps a goroutine with a grown stack, another goroutine
// that watches the connection, two buffers and the request: 24 KiB. Parked, its connection is
// taken out of the server's hands (hijacked), and the handler returns. What remains is the
// connection, a [Conn], and an entry in an epoll set that reports a client that goes away. The
// answer is written by hand ([Response]). Then the connection rests until its client sends the
// next request. A plain GET, as a poll that comes again is, goes to the server's handler from
// here. With any other the connection goes back to the server through the [Lot], which is a
// listener, too.
//
// Nothing is read from a parked connection: what a client sends before it has its answer stays
// in the kernel, and does not hide that the client goes away after it.
package park
