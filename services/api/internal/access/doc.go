// Package access knows the channels that operators made, and who may do what on
// them.
//
// A channel's record is one Redis hash: what an operator said of the channel
// (settings, note, labels), its revision, and its credentials as salted digests.
// [Store] reads and changes records; [Gate] answers, from a cache of a few
// seconds, whether a request's credential is good: so a push or a pull costs Redis
// nothing more, and what an operator changes holds everywhere within that time.
package access
