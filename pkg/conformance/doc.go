// Package conformance tests any server, and any client, of QSTv2 against the protocol:
// its authors' page (the wiki) and the contract, docs/protocol.md.
//
// # Servers
//
// [Cases] returns the cases for servers. Each one has a name, the sentence that it
// holds the server to, and a [Level], and runs by itself:
//
//	target := conformance.Target{URL: "https://qst.example.org"}
//	for _, c := range conformance.Cases() {
//		if r := c.Run(ctx, target); r.Verdict == conformance.Failed {
//			…
//		}
//	}
//
// [Run] runs many of them side by side. A case needs nothing but HTTP, and pushes and
// pulls only in channels with long random names that it makes up: cases disturb neither
// each other nor anybody else. What they leave behind is a few messages in such
// channels.
//
// # Clients
//
// [ClientCases] returns the cases for clients. Each one is a server that answers by a
// script, and what the client must make of the answers. See [Client].
//
// # What a case is
//
// A case knows of the wire only. Messages are read with encoding/json and encoding/xml,
// not with package qst: a mistake that both ends share would be seen by nobody.
// No case asks how fast an answer is. A case that waits for something fails when that
// has not come by [Target.Patience], and an answer that must be held is one that must
// not come too early.
package conformance
