package kannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// checkTimeout bounds the question whether smsbox is there.
const checkTimeout = 5 * time.Second

// Check says what is wrong with smsbox and with Kannel's configuration.
func (g *Gateway) Check() []gateway.Finding {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	found := []gateway.Finding{g.checkSmsbox(ctx)}
	if g.settings.Conf == "" {
		return append(found, gateway.Finding{Check: "kannel.conf", Note: true, Found: "not looked at", Advice: "set [kannel] conf: some of Kannel's defaults lose texts, and its answers don't show it"})
	}
	groups, err := readConf(g.settings.Conf)
	if errors.Is(err, errMerged) {
		return append(found, gateway.Finding{Check: "kannel.conf", Found: err.Error(), Advice: "bearerbox does not start with that: have an empty line before each group"})
	}
	if err != nil {
		return append(found, gateway.Finding{Check: "kannel.conf", Note: true, Found: err.Error(), Advice: "let the bridge's user read it: some of Kannel's defaults lose texts"})
	}
	return append(found, g.checkConf(groups)...)
}

// checkSmsbox asks for something that sendsms refuses, and sees from its answer what it knows.
func (g *Gateway) checkSmsbox(ctx context.Context) gateway.Finding {
	f := gateway.Finding{Check: "smsbox", Note: true}
	u := *g.url
	u.RawQuery = "username=" + url.QueryEscape(g.settings.User) + "&password=" + url.QueryEscape(g.settings.Password)
	status, body, err := g.get(ctx, u.String())
	f.Found = fmt.Sprintf("%s answers %d %s", (&url.URL{Scheme: g.url.Scheme, Host: g.url.Host, Path: g.url.Path}).String(), status, body)
	switch {
	case err != nil:
		f.Found, f.Advice = err.Error(), "is smsbox running? systemctl status kannel; START_SMSBOX=1 in /etc/default/kannel"
	case status == 400: // no receiver: it knows the user
		f.OK = true
	case status == 403:
		f.Advice = "[kannel] user and password have to be those of a group = sendsms-user"
	default:
		f.Advice = "sendsms has to be the URL of Kannel's sendsms interface: sendsms-port and sendsms-url of group = smsbox"
	}
	return f
}

// group is one of a configuration's groups.
type group map[string]string

var errMerged = errors.New("a group begins without an empty line before it")

func readConf(path string) ([]group, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	var groups []group
	inGroup, n := false, 0
	for line := range bytes.Lines(content) {
		n++
		text := strings.TrimSpace(string(line))
		name, value, ok := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		switch {
		case text == "":
			inGroup = false
		case !ok || strings.HasPrefix(name, "#"):
		case name == "group" && inGroup:
			return nil, fmt.Errorf("%s, line %d: %w", path, n, errMerged)
		case name == "group":
			groups, inGroup = append(groups, group{"group": value}), true
		case len(groups) > 0:
			groups[len(groups)-1][name] = value
		}
	}
	return groups, nil
}

// checkConf looks for the defaults of Kannel that lose texts.
func (g *Gateway) checkConf(groups []group) (found []gateway.Finding) {
	atLeast := func(gr group, name string, least int, why string) {
		n, _ := strconv.Atoi(gr[name])
		f := gateway.Finding{Check: gr["group"], OK: n >= least, Found: name + " = " + gr[name]}
		if !f.OK {
			f.Advice = fmt.Sprintf("set %s = %d or more: %s", name, least, why)
		}
		found = append(found, f)
	}
	is := func(gr group, name string, ok bool, advice string) {
		f := gateway.Finding{Check: gr["group"], OK: ok, Found: name + " = " + gr[name]}
		if !ok {
			f.Advice = advice
		}
		found = append(found, f)
	}
	seen := map[string]bool{}
	for _, gr := range groups {
		switch kind := gr["group"]; kind {
		case "core":
			is(gr, "store-location", gr["store-location"] != "" || gr["store-file"] != "", "set store-type = spool and store-location: texts that bearerbox has taken are lost when it dies")
			is(gr, "dlr-storage", gr["dlr-storage"] != "" && gr["dlr-storage"] != "internal", "set dlr-storage = spool and dlr-spool: delivery reports are lost when bearerbox dies")
		case "smsbox":
			atLeast(gr, "http-request-retry", 1000, "messages and reports that come while the bridge is away are dropped")
		case "sendsms-user":
			if gr["username"] != g.settings.User {
				continue
			}
			atLeast(gr, "max-messages", 10, "long texts are cut")
			is(gr, "concatenation", gr["concatenation"] == "true" || gr["concatenation"] == "yes" || gr["concatenation"] == "1", "set concatenation = true: long texts arrive in pieces")
		case "sms-service":
			if !strings.Contains(gr["get-url"], pathInbound) {
				continue
			}
			is(gr, "max-messages", gr["max-messages"] == "0", "set max-messages = 0: Kannel answers each message with a text of its own")
			is(gr, "get-url", strings.Contains(gr["get-url"], "token="+g.settings.Token+"&"), "bring token="+"… as [kannel] token has it")
		default:
			continue
		}
		seen[gr["group"]] = true
	}
	for _, kind := range []string{"core", "smsbox", "sendsms-user", "sms-service"} {
		if !seen[kind] {
			found = append(found, gateway.Finding{Check: kind, Note: true, Found: g.settings.Conf + " has no group = " + kind + " for this bridge", Advice: "take it from docs/gateways/kannel.conf"})
		}
	}
	return found
}
