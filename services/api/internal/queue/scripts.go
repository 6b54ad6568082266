package queue

import (
	"embed"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

//go:embed lua
var lua embed.FS

// scripts are the package's Lua scripts.
type scripts struct {
	push, pull, pullVersion1, leave, giveBack storage.Script // of clients
	pullFenced, deadLetter                    storage.Script // of the workers of webhooks
	expire, reported, note, replicas, wakes   storage.Script // of the background
	turn, unwell                              storage.Script // of the watch
	purge, requeue, deleteDead, cancel, del   storage.Script // of operators
	states, address                           storage.Script // of version 1 clients
}

// newScripts puts the scripts together. Each one has the libraries that it uses, no more:
// defining a function costs Redis time, too.
func newScripts() scripts {
	pull := []string{"lib/queue", "lib/remove", "lib/lapse", "lib/waiter", "lib/dead", "lib/read", "lib/suspect", "lib/confirm", "lib/history", "lib/recover", "lib/poison"}
	return scripts{
		push:         script(storage.Refused, "lib/queue", "lib/waiter", "lib/duplicates", "lib/append", "lib/history", "lib/validity", "push"),
		pull:         script(storage.Always, append(pull, "etag", "pull")...),
		pullVersion1: script(storage.Always, append(pull, "etag_version1", "pull")...),
		leave:        script(storage.Always, "lib/queue", "leave"),
		giveBack:     script(storage.Always, "lib/queue", "give_back"),

		pullFenced: script(storage.Always, append(pull, "lib/fence", "etag", "pull")...),
		deadLetter: script(storage.Always, "lib/queue", "lib/remove", "lib/dead", "lib/read", "lib/fence", "dead_letter"),

		expire:   script(storage.Always, "lib/queue", "lib/remove", "lib/lapse", "lib/dead", "expire"),
		reported: script(storage.Always, "lib/queue", "reported"),
		note:     script(storage.Refused, "note"),
		turn:     script(storage.Refused, "turn"),
		unwell:   script(storage.Refused, "unwell"),
		replicas: script(storage.Always, "replicas"),
		wakes:    script(storage.Always, "wake_stream"),

		purge:      script(storage.Always, "lib/queue", "lib/remove", "lib/dead", "purge"),
		requeue:    script(storage.Refused, "lib/queue", "lib/remove", "lib/waiter", "lib/append", "lib/history", "lib/validity", "lib/dead", "requeue"),
		deleteDead: script(storage.Always, "lib/queue", "lib/dead", "delete_dead"),
		cancel:     script(storage.Always, "lib/queue", "lib/remove", "lib/lapse", "cancel"),
		del:        script(storage.Always, "delete"),

		states:  script(storage.Refused, "states"),
		address: script(storage.Refused, "address"),
	}
}

// all returns every script.
func (s scripts) all() []storage.Script {
	return []storage.Script{s.push, s.pull, s.pullFenced, s.deadLetter, s.pullVersion1, s.leave, s.giveBack, s.expire, s.reported, s.note, s.turn, s.unwell, s.replicas, s.wakes, s.purge, s.requeue, s.deleteDead, s.cancel, s.del, s.states, s.address}
}

// script puts files of the folder lua together.
func script(flags string, names ...string) storage.Script {
	parts := make([]string, len(names))
	for i, name := range names {
		text, err := lua.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // the file is part of the program
		}
		parts[i] = string(text)
	}
	return storage.NewScript(flags, parts...)
}
