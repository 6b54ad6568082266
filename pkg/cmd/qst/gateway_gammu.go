package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/gateway/gammu"
)

func (a *app) gatewayGammu() *cobra.Command {
	openGammu := func(path string) (gatewayConfig, *gammu.Gateway, error) {
		var c struct {
			gatewayConfig

			Gammu gammu.Settings `toml:"gammu"`
		}
		if err := readGateway(path, &c); err != nil {
			return c.gatewayConfig, nil, err
		}
		g, err := gammu.New(c.Gammu, c.Bridge.State, a.log)
		return c.gatewayConfig, g, err
	}
	cmd, f := a.gatewayCommandOf("gammu", "Gammu SMSD: phones and modems on a cable",
		`Bridges Gammu SMSD, by the folders of its files backend or with any backend. Its configuration's third table:

  [gammu]
  smsdrc = "/etc/gammu-smsdrc"   # where the folders are read from
  outbox-max = 20                # texts in the outbox at once
  poll = "1s"                    # how often the folders are looked at
  receive = "inbox"              # or "run-on-receive"
  number = "+85512345678"        # the SIM's own: the "to" of what is received
  send = "outbox"                # or "inject", for SMSD with another backend
  inject = "gammu-smsd-inject"   # the program for that

SMSD needs, in its section [smsd]: service = files, transmitformat = auto, and
inboxformat = detail. With receive = "run-on-receive" it needs, instead of the last:

  runonreceive = /usr/bin/qst gateway gammu --config /etc/qst/gammu.toml --received

With send = "inject" texts are handed over by gammu-smsd-inject, and SMSD may have any
backend: SQL. receive is run-on-receive then, and it needs:

  runonreceive = /usr/bin/qst gateway gammu --config /etc/qst/gammu.toml --received
  runonsent = /usr/bin/qst gateway gammu --config /etc/qst/gammu.toml --sent

Else a text is "sent" when SMSD has moved it to sentsmspath, "failed" when it is in
errorsmspath. The bridge deletes both, and what it has taken out of the inbox.`,
		func(path string) (gatewayConfig, bridged, error) { return openGammu(path) })
	var received, sent bool
	cmd.Flags().BoolVar(&sent, "sent", false, "called by SMSD: tell the bridge that the message with this id is sent")
	cmd.Flags().BoolVar(&received, "received", false, "called by SMSD: hand the message in the environment to the bridge")
	cmd.Args = cobra.ArbitraryArgs // SMSD's names for the message
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if received && sent {
			return usagef("--received and --sent: one of them")
		}
		if !received && !sent {
			if len(args) > 0 {
				return usagef("%s: only --received and --sent take arguments", shown(args[0]))
			}
			return run(cmd, args)
		}
		_, g, err := openGammu(f.path)
		if err != nil {
			return gatewayError(err)
		}
		if sent {
			return gatewayError(g.Sent(args))
		}
		return g.Received(a.env, args, time.Now())
	}
	return cmd
}
