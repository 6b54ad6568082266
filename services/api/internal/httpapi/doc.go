// Package httpapi is the service over HTTP: QSTv2's one URL a party on the public
// listener, and what operators ask on the internal one.
//
// A push goes  channel → body → qst.Decode → queue.Push → answer,
// a pull goes  channel → parameters → queue.Pull (which may wait) → qst.Append.
// Whatever goes wrong becomes a status in one table, problem.go.
package httpapi
