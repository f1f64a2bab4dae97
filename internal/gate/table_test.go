package gate

import (
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

func table(t testing.TB) *Table {
	t.Helper()
	table := &Table{}
	for _, route := range [][]string{
		{"avs", "alexa.example.com"},
		{"ads", "ads.example.com", "only.example.com:8443", "alexa.example.com:8443"},
	} {
		testkit.NoError(t, table.Add(route[0], route[1:]...))
	}
	return table
}

func TestC01_C03_OnlyKnownHostsChooseARoute(t *testing.T) {
	clear, secure, unix := exchange.Listener{Port: "9744"}, exchange.Listener{Port: "9744", TLS: true}, exchange.Listener{}
	for _, c := range []struct {
		host string
		door exchange.Listener
		want int // -1 = none
	}{
		{"localhost", clear, 0}, {"LocalHost:9744", clear, 0}, {"localhost.", clear, 0}, {"127.0.0.1:9744", clear, 0},
		{"[::1]:9744", clear, 0}, {"[0:0:0:0:0:0:0:1]", clear, 0}, {"localhost:80", clear, 0}, {"localhost:443", secure, 0},
		{"avs.localhost:9744", clear, 0}, {"ADS.localhost", clear, 1}, {"ads.example.com", clear, 1},
		{"alexa.example.com", clear, 0}, {"alexa.example.com:443", secure, 0}, {"alexa.example.com:8443", clear, 1},
		{"only.example.com:8443", clear, 1}, {"localhost:1", unix, 0}, {"only.example.com:8443", unix, 1},

		{"localhost:443", clear, -1}, {"localhost:80", secure, -1}, {"localhost:9745", clear, -1}, {"alexa.example.com:9745", clear, -1},
		{"only.example.com", clear, -1}, {"only.example.com:9744", clear, -1}, {"localhost.evil.com", clear, -1},
		{"evil.localhost", clear, -1}, {"avs.localhost.evil.com:9744", clear, -1}, {"127.0.0.1.nip.io", clear, -1},
		{"127.0.0.2", clear, -1}, {"127.1", clear, -1}, {"2130706433", clear, -1}, {"0x7f.0.0.1", clear, -1}, {"0.0.0.0:9744", clear, -1},
		{"[::]:9744", clear, -1}, {"[::ffff:127.0.0.1]:9744", clear, -1}, {"[fe80::1]", clear, -1}, {"xalexa.example.com", clear, -1},
		{"", clear, -1}, {"localhost:9744", exchange.ListenerAt(nil, false), -1},
	} {
		got := -1
		if authority, ok := exchange.ParseAuthority(c.host); ok {
			if index, ok := table(t).Choose(authority, c.door); ok {
				got = index
			}
		}
		if got != c.want {
			t.Errorf("%q at %+v: route %d, want %d", c.host, c.door, got, c.want)
		}
	}
	if _, ok := (&Table{}).Choose(exchange.Authority{Host: "localhost"}, clear); ok {
		t.Error("an empty table has a route")
	}
}

func TestHostsBelongToOneRoute(t *testing.T) {
	for _, c := range []struct {
		hosts []string
		want  string // in the error; empty = none
	}{
		{[]string{"new.example.com", "ads.example.com:9999"}, ""},
		{[]string{"new.example.com", "new.example.com"}, ""},
		{[]string{"ALEXA.example.com."}, "belongs to route avs"},
		{[]string{"only.example.com:8443"}, "belongs to route ads"},
		{[]string{"avs.localhost"}, "belongs to route avs"},
		{[]string{"localhost"}, "first route"},
		{[]string{"[::1]:9744", "localhost:8080"}, ""}, // ports that lead here from elsewhere
		{[]string{"https://x.example.com"}, "not a host name"},
		{[]string{"*.example.com"}, "not a host name"},
	} {
		err := table(t).Add("third", c.hosts...)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.hosts, err)
		}
	}
}

// Whatever a table lets in, it lets in by one of the names it was told.
func FuzzChoose(f *testing.F) {
	for _, seed := range []string{"localhost:9744", "alexa.example.com", "[::1]", "localhost.evil.com", "only.example.com:8443", "a@localhost", "ſocalhost", "loCalhost.:80"} {
		f.Add(seed, "9744", false)
	}
	table := table(f)
	known := []string{"localhost", "127.0.0.1", "avs.localhost", "ads.localhost", "alexa.example.com", "ads.example.com", "only.example.com"}
	f.Fuzz(func(t *testing.T, host, port string, tls bool) {
		authority, ok := exchange.ParseAuthority(host)
		if !ok {
			return
		}
		if _, ok := table.Choose(authority, exchange.Listener{Port: port, TLS: tls}); !ok {
			return
		}
		if strings.HasPrefix(host, "[") && authority.Host == "::1" {
			return
		}
		name, _, _ := strings.Cut(host, ":")
		for _, want := range known {
			if strings.EqualFold(strings.TrimSuffix(name, "."), want) {
				return
			}
		}
		t.Fatalf("%q chose a route", host)
	})
}
