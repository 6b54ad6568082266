package main

import (
	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/gateway/smstools"
)

func (a *app) gatewaySmstools() *cobra.Command {
	cmd, _ := a.gatewayCommandOf("smstools", "SMS Server Tools 3: modems and modem banks",
		`Bridges SMS Server Tools 3 by its spool folders. Its configuration's third table:

  [smstools]
  conf = "/etc/smsd.conf"       # where the folders are read from
  outgoing-max = 20             # texts that smsd has at once
  poll = "1s"                   # how often the folders are looked at
  settle = "2s"                 # how old a received file gets before it is read
  delivery = true               # ask for delivery reports; default false
  number = "+85512345678"       # the SIM's own: the "to" of what is received

smsd needs the folders sent and failed, and incoming_utf8 = yes. An eventhandler is not
needed, and may be there.

A text is "sent" when smsd has moved it to the folder sent, "failed" when it is in the
folder failed, "delivered" when the phone's report has come. The bridge deletes these
files, and what it has taken out of incoming.`,
		func(path string) (gatewayConfig, bridged, error) {
			var c struct {
				gatewayConfig

				Smstools smstools.Settings `toml:"smstools"`
			}
			if err := readGateway(path, &c); err != nil {
				return c.gatewayConfig, nil, err
			}
			g, err := smstools.New(c.Smstools, a.log)
			return c.gatewayConfig, g, err
		})
	return cmd
}
