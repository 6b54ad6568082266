package httpapi

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What is in this file is for people who try the service by hand: it says what they have to
// do otherwise.

// frontPages are what the listeners answer at /.
var frontPages = map[string]string{
	"public": `This is QST %s, a service that hands text messages over between SMS gateways and
applications. Programs use it; there is nothing else to see here.

  /v2/channels/{channel}/gateway      a gateway: POST what came in, GET what is to go out
  /v2/channels/{channel}/application  an application: POST what is to go out, GET what came in
  /v2/channels/{channel}              a mailbox: POST and GET
  /v1/{account}/qst                   phones on version 1: the URL to enter in them
  /openapi.yaml                       all of it, for programs
`,
	"internal": `This is the inside of QST %s: keep it from the public.

  /healthz       whether the process lives
  /readyz        whether it can serve
  /metrics       for Prometheus
  /admin/v1      channels and their credentials%s
%s  /openapi.yaml  all of it, for programs
`,
}

// frontPage answers GET /, for people who want to know what they have reached.
func (a *API) frontPage(listener string) echo.HandlerFunc {
	args := []any{a.opts.Build.Version}
	if listener == "internal" {
		off, console := "", ""
		switch {
		case a.opts.AdminToken == "":
			off = ": off, as QST_ADMIN_TOKEN is not set"
		case a.opts.Console:
			console = "  /console       the same, for people\n"
		}
		args = append(args, off, console)
	}
	page := fmt.Sprintf(frontPages[listener], args...)
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.String(http.StatusOK, page)
	}
}

// oneSlash has more than one / at a path's beginning be one: programs join a URL that
// somebody typed, with a / at its end, and a path. It changes the request itself, as that is
// what Echo's router looks at.
func oneSlash(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if u := c.Request().URL; strings.HasPrefix(u.Path, "//") {
			u.Path = "/" + strings.TrimLeft(u.Path, "/")
			if u.RawPath != "" {
				u.RawPath = "/" + strings.TrimLeft(u.RawPath, "/")
			}
		}
		return next(c)
	}
}

// sayContentType tells those who sent curl's default what to add.
func sayContentType(err error, header string, body []byte) error {
	if media, _, _ := mime.ParseMediaType(header); media != "application/x-www-form-urlencoded" { //nolint:errcheck // "" then
		return err
	}
	add := qst.XML.MediaType()
	if f, sniffed := qst.Sniff(body); sniffed == nil {
		add = f.MediaType()
	}
	add, _, _ = strings.Cut(add, ";")
	return fmt.Errorf("%w; curl says this unless it is told otherwise: add -H 'Content-Type: %s'", err, add)
}

// checkText refuses a message whose text would be lost: one that has a property "text", as
// version 1 and other programs call it, and says nothing else. (An element <text> is refused
// when XML is decoded.)
func checkText(messages []qst.Message) error {
	for i := range messages {
		m := &messages[i]
		if m.Subject != "" || m.Body != "" {
			continue
		}
		for j := range m.Properties {
			if m.Properties[j].Name == "text" {
				return problem{
					status: http.StatusBadRequest, reason: "malformed",
					detail: fmt.Sprintf(`message %d: it has a property "text", and neither body nor subject: QSTv2 calls this body`, i+1),
				}
			}
		}
	}
	return nil
}
