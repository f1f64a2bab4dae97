package app

import (
	"net/url"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

func TestCorporateProxyOfTheEnvironment(t *testing.T) {
	for _, c := range []struct{ https, no, target, want string }{
		{"http://proxy.example:3128", "", "https://api.example", "http://proxy.example:3128"},
		{"proxy.example:3128", "", "https://api.example", "http://proxy.example:3128"},
		{"socks5h://proxy.example", "", "https://api.example", "socks5h://proxy.example"},
		{"http://proxy.example", "api.example", "https://v2.api.example", ""},
		{"http://proxy.example", "10.0.0.0/8", "https://10.1.2.3", ""},
		{"http://proxy.example", "*", "https://api.example", ""},
		{"http://proxy.example", "", "https://localhost:9752", ""},
		{"http://proxy.example", "", "https://avs.localhost:9752", ""},
		{"http://proxy.example", "", "https://127.0.0.9", ""},
		{"http://proxy.example", "", "https://[::1]", ""},
		{"", "", "https://api.example", ""},
		{"user:c4n4ry@", "", "https://api.example", "error"},
		{"gopher://proxy.example", "", "https://api.example", "error"},
		{"http://c4n4ry:%zz@proxy.example", "", "https://api.example", "error"},
	} {
		for _, change := range []func(string) string{strings.ToLower, strings.ToUpper} {
			env := map[string]string{change("https_proxy"): c.https, change("no_proxy"): c.no}
			a := &Environment{Getenv: func(name string) string { return env[name] }}
			if got := chosen(t, a, c.target); got != c.want {
				t.Errorf("%+v: %q", c, got)
			}
		}
	}
}

// chosen is the proxy on the way to target; "" = none.
func chosen(t *testing.T, a *Environment, target string) string {
	t.Helper()
	choose, err := upstreamProxy(a)
	if err != nil {
		testkit.NoCanary(t, "the error", err.Error())
		return "error"
	}
	parsed := testkit.Must(url.Parse(target))(t)
	via := testkit.Must(choose(parsed))(t)
	if via == nil {
		return ""
	}
	return via.String()
}
