package httpapi

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

var errOtherOrigin = problem{
	status: http.StatusForbidden, reason: "other_origin",
	detail: "a page of another origin may not use the service",
}

// shield wraps both listeners: no browser is to take an answer for something else
// than it says, and no page of another origin is to use the credentials that a browser has for
// this one. Programs that are no browser send none of these headers.
func (a *API) shield(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		guard(c.Response().Header())
		if otherOrigin(c.Request()) {
			return errOtherOrigin
		}
		return next(c)
	}
}

// guard sets what every answer says to browsers.
func guard(h http.Header) { h.Set("X-Content-Type-Options", "nosniff") }

// otherOrigin tells whether a browser says that a page of another origin makes the request
// (Fetch Metadata; before that, Origin). Somebody who follows a link is no page.
func otherOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		if origin == "" {
			return false
		}
		u, err := url.Parse(origin)
		return err != nil || u.Host != r.Host
	default:
		return r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate"
	}
}
