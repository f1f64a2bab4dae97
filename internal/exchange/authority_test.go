package exchange

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestC03_ParseAuthority(t *testing.T) {
	for text, want := range map[string]Authority{
		"localhost": {"localhost", ""}, "LOCALHOST:80": {"localhost", "80"}, "a.b-c_d.example.": {"a.b-c_d.example", ""},
		"127.0.0.1:9744": {"127.0.0.1", "9744"}, "[::1]": {"::1", ""}, "[::1]:1": {"::1", "1"}, "[0:0::1]:65535": {"::1", "65535"},
		"[2001:DB8::A]": {"2001:db8::a", ""}, "localhost.:80": {"localhost", "80"},
	} {
		if got, ok := ParseAuthority(text); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", ":", ":80", "localhost:", "localhost:+80", "localhost:8o", "localhost:123456", "localhost: 80", " localhost", "localhost ",
		"localhost..", ".", ".localhost", "a..b", "user@localhost", "localhost@evil.com", "localhost:80@evil.com", "localhost#", "localhost/", "localhost\\",
		"http://localhost", "localhost,evil.com", "localhost evil.com", "localhost\r\nX: y", "localhost\x00", "localhost%00", "loc%61lhost",
		"\u212Aube", "ⓛocalhost", "localhost。", "[::1", "::1", "::1]", "[::1]x", "[::1]]:80", "[[::1]]", "[::1%lo]:80", "[::1%25lo]", "[127.0.0.1]", "[localhost]", "[]",
		strings.Repeat("a.", 130) + "a",
	} {
		if got, ok := ParseAuthority(text); ok {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

// What is read is canonical, and reading it again changes nothing.
func FuzzParseAuthority(f *testing.F) {
	for _, seed := range []string{"localhost:80", "[::1]:80", "A.b.", "127.0.0.1", "a:b:1", "[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseAuthority(text)
		if !ok {
			return
		}
		again := net.JoinHostPort(got.Host, got.Port)
		if got.Port == "" {
			again = strings.TrimSuffix(again, ":")
		}
		if second, ok := ParseAuthority(again); !ok || second != got {
			t.Fatalf("%q: %+v, then %+v", text, got, second)
		}
		if strings.ContainsAny(got.Host, "/\\@# \r\n\x00%[]") || strings.ToLower(got.Host) != got.Host {
			t.Fatalf("%q: %+v", text, got)
		}
		if addr, err := netip.ParseAddr(got.Host); err != nil && strings.Contains(got.Host, ":") || err == nil && addr.Zone() != "" {
			t.Fatalf("%q: %+v", text, got)
		}
	})
}

func TestC01_ListenerAcceptsPort(t *testing.T) {
	for _, c := range []struct {
		listener Listener
		port     string
		want     bool
	}{
		{Listener{Port: "9744", TLS: false}, "", true}, {Listener{Port: "9744", TLS: false}, "9744", true}, {Listener{Port: "9744", TLS: false}, "80", true}, {Listener{Port: "9744", TLS: true}, "443", true},
		{Listener{Port: "9744", TLS: false}, "443", false}, {Listener{Port: "9744", TLS: true}, "80", false}, {Listener{Port: "9744", TLS: false}, "9745", false}, {Listener{Port: "9744", TLS: false}, "09744", false},
		{Listener{Port: "", TLS: false}, "1", true}, {ListenerAt(nil, false), "9744", false}, {ListenerAt(nil, false), "0", false},
		{ListenerAt(&net.TCPAddr{Port: 5}, false), "5", true}, {ListenerAt(&net.UnixAddr{}, false), "5", true},
	} {
		if got := c.listener.AcceptsPort(Authority{"localhost", c.port}); got != c.want {
			t.Errorf("%+v, port %q: %v", c.listener, c.port, got)
		}
	}
}
