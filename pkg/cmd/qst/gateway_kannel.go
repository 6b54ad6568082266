package main

import (
	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/gateway/kannel"
)

func (a *app) gatewayKannel() *cobra.Command {
	cmd, _ := a.gatewayCommandOf("kannel", "Kannel: SMSCs and aggregators (SMPP, …)",
		`Bridges Kannel's smsbox: sendsms, its delivery reports, and an sms-service. [bridge] needs
listen, which Kannel calls. Its configuration's third table:

  [kannel]
  sendsms = "http://127.0.0.1:13013/cgi-bin/sendsms"
  user = "qst"                             # of group = sendsms-user
  password-file = "/etc/qst/kannel"        # or password = "…"
  from = "4455"                            # the sender of texts that have none
  smsc = ""                                # the smsc-id to send through; default Kannel's routing
  callback = "http://127.0.0.1:9465"       # this bridge, as Kannel reaches it
  token = "…"                              # 8 letters and digits or more, in the URLs that Kannel calls
  dlr-mask = 27                            # delivered 1, failed 2, sent 8, rejected 16
  timeout = "30s"                          # of a hand-over
  conf = "/etc/kannel/kannel.conf"         # for --check

Kannel can't tell a text that it is given a second time: a bridge that dies between
handing one over and writing that down hands it over again, and counts it
(qst_gateway_possible_doubles_total).`,
		func(path string) (gatewayConfig, bridged, error) {
			var c struct {
				gatewayConfig

				Kannel kannel.Settings `toml:"kannel"`
			}
			if err := readGateway(path, &c); err != nil {
				return c.gatewayConfig, nil, err
			}
			if c.Bridge.Listen == "" {
				return c.gatewayConfig, nil, usagef("%w: [bridge] listen: Kannel calls the bridge there", gateway.ErrSettings)
			}
			g, err := kannel.New(c.Kannel, a.log)
			return c.gatewayConfig, g, err
		})
	return cmd
}
