package conformance

import (
	"net/http"
	"strings"
)

func basic(user, password string) string {
	q := http.Request{Header: http.Header{}}
	q.SetBasicAuth(user, password)
	return "Authorization: " + q.Header.Get("Authorization")
}

func credentialCases() []Case {
	wiki := about(Wiki, "credentials", `Otherwise, depending on the status code, the client should retry the message (ie: 500 - Internal Server Error), discard it (ie: 400 - Bad Request) or stop sending messages at all (ie: 401 - Unauthorized).`)
	g := about(Contract, "credentials", `unknown or wrong credentials; not allowed to do this here`)
	add := func(g *group, name string, needs func(Target) string, run func(t *exam)) {
		g.add(name, run).needs = needs
	}
	add(wiki, "none: 401", needsLogin, func(t *exam) {
		path := t.channel()
		for _, method := range []string{"GET", "POST"} {
			if a := t.do(t.a, method, path, map[string]string{"POST": oneJSON}[method], typeJSON, noLogin); a.Status != http.StatusUnauthorized {
				t.errorf("%s: %d, want 401", method, a.Status)
			}
		}
		t.empty(t.b, path)
	})
	unauthorized := func(name string, header func(l login) string) {
		added := g.add(name, func(t *exam) {
			path := t.channel()
			t.push(t.a, path, numbered(1, 2))
			e := t.pull(t.b, path)
			l, _ := t.login(path)
			h := header(l)
			for _, a := range []answer{
				t.do(t.a, "POST", path, numbered(3, 3), typeJSON, h),
				t.do(t.b, "GET", path+"?format=json&"+etag(e), "", h),
				t.do(t.b, "GET", path+"?format=json&long-polling=true", "", h),
			} {
				t.refused(a, only(http.StatusUnauthorized))
				if !strings.Contains(strings.ToLower(a.Header.Get("WWW-Authenticate")), "basic") {
					t.errorf("WWW-Authenticate %q, want Basic", a.Header.Get("WWW-Authenticate"))
				}
			}
			t.wantIDs(t.pull(t.a, path), "1 2") // and nothing was confirmed
		})
		added.needs, added.Accepts = needsLogin, "401 with WWW-Authenticate: Basic; nothing is stored, given or confirmed"
	}
	unauthorized("none", func(login) string { return noLogin })
	unauthorized("a wrong password", func(l login) string { return basic(l.user, "a-wrong-password-of-30-letters") })
	unauthorized("a password with one letter more", func(l login) string { return basic(l.user, l.password+"x") })
	unauthorized("a password with one letter less", func(l login) string { return basic(l.user, l.password[:len(l.password)-1]) })
	unauthorized("an empty password", func(l login) string { return basic(l.user, "") })
	unauthorized("a wrong user", func(l login) string { return basic("x"+l.user, l.password) })
	unauthorized("an empty user", func(l login) string { return basic("", l.password) })
	unauthorized("user and password exchanged", func(l login) string { return basic(l.password, l.user) })
	unauthorized("no base64", func(login) string { return "Authorization: Basic !" })
	unauthorized("no colon", func(login) string { return "Authorization: Basic cGhvbmU=" })
	unauthorized("another scheme", func(l login) string { return "Authorization: Bearer " + l.password })
	unauthorized("only the scheme", func(login) string { return "Authorization: Basic" })

	add(g, "the scheme in small letters", needsLogin, func(t *exam) {
		path := t.channel()
		l, _ := t.login(path)
		h := strings.Replace(basic(l.user, l.password), "Basic", "basic", 1)
		t.stored(t.do(t.a, "POST", path, oneJSON, typeJSON, h), "json", 1, 0)
	})
	add(g, "another channel's", needsGrant, func(t *exam) {
		path, other := t.channel(), t.channel()
		t.push(t.a, path, numbered(1, 1))
		l, _ := t.login(other)
		for _, a := range []answer{
			t.do(t.a, "POST", path, numbered(2, 2), typeJSON, basic(l.user, l.password)),
			t.do(t.b, "GET", path, "", basic(l.user, l.password)),
		} {
			t.refused(a, []int{http.StatusUnauthorized, http.StatusForbidden})
		}
		t.wantIDs(t.pull(t.a, path), "1")
	})
	for _, of := range ends {
		add(g, "the "+of.name+"'s at other endpoints", needsGrant, func(t *exam) {
			path := t.channel()
			l, _ := t.login(path + of.in)
			for _, end := range ends {
				if end.in == of.in {
					continue
				}
				t.push(t.a, path+end.out, numbered(1, 1)) // what end.in would give
				for _, a := range []answer{
					t.do(t.a, "POST", path+end.in, numbered(2, 2), typeJSON, basic(l.user, l.password)),
					t.do(t.b, "GET", path+end.in+"?format=json", "", basic(l.user, l.password)),
				} {
					t.refused(a, []int{http.StatusUnauthorized, http.StatusForbidden})
				}
			}
			t.stored(t.do(t.a, "POST", path+of.in, numbered(3, 3), typeJSON), "json", 1, 0)
		})
	}
	add(g, "a channel that is not there answers like one that is", needsGrant, func(t *exam) {
		path := t.channel()
		l, _ := t.login(path)
		header := basic(l.user, "a-wrong-password-of-30-letters")
		is := t.do(t.a, "GET", path, "", header)
		isNot := t.do(t.a, "GET", channelsPath+"conformance-"+random(), "", header)
		if is.Status != isNot.Status || is.Body != isNot.Body {
			t.errorf("%d %s, and %d %s", is.Status, is.Body, isNot.Status, isNot.Body)
		}
	})
	return all(wiki, g)
}
