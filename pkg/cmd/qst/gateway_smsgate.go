package main

import (
	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/gateway/smsgate"
)

func (a *app) gatewaySmsgate() *cobra.Command {
	var register bool
	cmd, _ := a.gatewayCommandOf("smsgate", "SMSGate (SMS Gateway for Android): phones",
		`Bridges SMSGate, an app that makes an Android phone a gateway, on the phone itself or by way of a
server. With a callback [bridge] needs listen, which the phone calls by way of a proxy that has a
certificate. Its configuration's third table:

  [smsgate]
  url = "http://192.168.1.20:8080"         # the phone's local server, or https://api.sms-gate.app/3rdparty/v1
  user = "sms"                             # as the app shows it
  password-file = "/etc/qst/smsgate"       # or password = "…"
  jwt = false                              # exchange them for tokens, and use those
  token-file = ""                          # or a token of the server, in place of user and password
  device = ""                              # the phone's ID, where an account has several
  sim = 0                                  # 1 to 3; default as the app has it
  priority = 0                             # -128 to 127; the app's limits don't hold from 100 on
  skip-phone-validation = false            # for short codes
  delivery = true                          # ask for delivery reports
  outgoing-max = 50                        # texts that wait at SMSGate at once
  poll = "30s"                             # after which a text is asked for first
  inbox-every = "15m"                      # how often the inbox is looked at
  inbox-window = "168h"                    # how far back that goes
  callback = "https://bridge.example.org"  # this bridge, as the phone reaches it; default no webhooks
  signing-key-file = "/etc/qst/smsgate-keys" # of webhooks, one in each line; or signing-key = "…"
  max-age = "5m"                           # of a webhook
  timeout = "30s"                          # of a request
  number = "+85512345678"                  # the SIM's own, where the app does not tell it

SMSGate takes an ID once: a text that may have been handed over before is asked for, and handed over
again only if SMSGate does not have it.`,
		func(path string) (gatewayConfig, bridged, error) {
			var c struct {
				gatewayConfig

				Smsgate smsgate.Settings `toml:"smsgate"`
			}
			if err := readGateway(path, &c); err != nil {
				return c.gatewayConfig, nil, err
			}
			if c.Smsgate.Callback != "" && c.Bridge.Listen == "" {
				return c.gatewayConfig, nil, usagef("%w: [bridge] listen: the phone calls the bridge there", gateway.ErrSettings)
			}
			g, err := smsgate.New(c.Smsgate, c.Bridge.State, a.log)
			if err == nil && register {
				err = g.Register()
			}
			return c.gatewayConfig, g, err
		})
	cmd.Flags().BoolVar(&register, "register", false, "have SMSGate call the bridge (webhooks), first")
	return cmd
}
