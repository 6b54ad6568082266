package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/console"
)

// console adds the operators' web page.
func (a *API) console(e *echo.Echo) {
	page := console.New()
	serve := func(c echo.Context) error {
		if refusal := a.opts.ConsoleHosts.Untrusted(c.Request().Host); refusal != "" {
			return problem{status: http.StatusForbidden, detail: refusal}
		}
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	e.GET(console.Path+"*", serve)
	e.GET("/console", func(c echo.Context) error { return c.Redirect(http.StatusFound, console.Path) })
}
