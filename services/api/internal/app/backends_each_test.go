package app_test

import "testing"

func TestSmoke(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		for _, ch := range []string{"a", "b", "c", "d", "e", "f"} {
			path := "/v2/channels/" + ch
			push(t, a, path, `[{"id":"1","body":"x"},{"id":"2","body":"y"}]`)
			g := pull(t, b, path, "max=1")
			if ids(t, g) != "1" {
				t.Fatal(g)
			}
			g = pull(t, a, path, etag(g))
			if ids(t, g) != "2" || g.Header.Get("QST-Confirmed") != "1" {
				t.Fatal(g)
			}
			p := longPoll(t, b, path, etag(g))
			push(t, a, path, `[{"id":"3","body":"x"}]`)
			g = within(t, p)
			if ids(t, g) != "3" {
				t.Fatal(g)
			}
		}
	})
}
