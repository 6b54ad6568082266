package conformance

import "net/http"

func deliveryReports() []Case {
	g := about(Validity, "reports/version 2", "A delivery report needs none of `from`, `to`, `subject` and `body`. A message with none of these that has one of the two properties, and not both with such values, is 400.")
	for _, status := range []string{"sent", "delivered", "failed", "expired", "rejected", "unknown"} {
		g.add("the status "+status, func(t *exam) {
			path := t.channel()
			t.stored(t.do(t.a, "POST", path, `{"id":"r","qst-message":"1","qst-status":"`+status+`","qst-code":"7"}`, typeJSON), "json", 1, 0)
			m := t.messages(t.pull(t.b, path))
			if len(m) != 1 || m[0]["qst-message"] != "1" || m[0]["qst-status"] != status || m[0]["qst-code"] != "7" {
				t.errorf("%v", m)
			}
		})
	}
	for _, body := range []string{
		`{"qst-message":"1"}`, `{"qst-status":"sent"}`, `{"qst-message":"","qst-status":"sent"}`, `{"qst-message":"1","qst-status":"on its way"}`,
	} {
		c := g.add("refused: "+body, func(t *exam) {
			path := t.channel()
			t.refused(t.do(t.a, "POST", path, body, typeJSON), only(http.StatusBadRequest))
			t.empty(t.b, path)
		})
		c.Sends, c.Accepts = body, "400"
	}
	return all(g)
}
