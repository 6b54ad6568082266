// Package fair shares what a replica has among the channels that want it, so that one
// of them can't take it all.
//
// [Queue] decides whose turn it is: each name has its even share of what is taken out,
// however much it has put in. [Limit] lets so many requests of each name in at a time.
// [Bytes] bounds what all of them, and each of them, have in memory. None of them knows
// what a name is; here it is a channel's, mostly.
package fair
