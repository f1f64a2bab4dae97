package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/testkit"
)

func TestLocationOfTheUpstreamIsRewritten(t *testing.T) {
	for _, c := range []struct{ upstream, location, want string }{
		{"https://api.example", "https://api.example/x?a=%2f#b", "http://localhost:9744/x?a=%2f#b"},
		{"https://api.example", "https://API.example:443/x", "http://localhost:9744/x"},
		{"https://api.example", "HTTPS://api.example", "http://localhost:9744"},
		{"https://api.example", "https://api.example?x", "http://localhost:9744?x"},
		{"https://api.example", "//api.example/x", "http://localhost:9744/x"},
		{"https://api.example", "https://api.example//x/../y", "http://localhost:9744//x/../y"},
		{"https://api.example:8443", "https://api.example:8443/x", "http://localhost:9744/x"},
		{"https://[::1]:8443", "https://[::1]:8443/x", "http://localhost:9744/x"},
		{"https://api.example/v2", "https://api.example/v2/x", "http://localhost:9744/x"},
		{"https://api.example/v2/", "https://api.example/v2/x", "http://localhost:9744/x"},
		{"https://api.example/v2", "https://api.example/v2", "http://localhost:9744"},
		{"https://api.example/v2", "https://api.example/v2?x", "http://localhost:9744?x"},
		{"https://api.example/v2", "/v2/x", "/x"},
		{"https://api.example/v2", "/v2", "/"},
		{"https://api.example/v2", "/v2?x", "/?x"},
		// These lead elsewhere, or are beyond the route.
		{"https://api.example", "http://api.example/x", ""},
		{"https://api.example", "https://api.example:8443/x", ""},
		{"https://api.example:8443", "https://api.example/x", ""},
		{"https://api.example", "https://api.example.evil/x", ""},
		{"https://api.example", "https://user@api.example/x", ""},
		{"https://api.example", `https://api.example\@evil/x`, ""},
		{"https://api.example", "https://evil/https://api.example/x", ""},
		{"https://api.example", "https:api.example/x", ""},
		{"https://api.example", "/x", ""},
		{"https://api.example", "x//api.example/x", ""},
		{"https://api.example", "", ""},
		{"https://api.example/v2", "https://api.example/v1/x", ""},
		{"https://api.example/v2", "https://api.example/v20/x", ""},
		{"https://api.example/v2", "https://api.example/v2/../v1", ""},
		{"https://api.example/v2", "https://api.example", ""},
		{"https://api.example/v2", "/v20", ""},
		{"https://api.example/v2", "/v2//evil/x", ""},
		{"https://api.example/v2", "/v2/../x", ""},
		{"https://api.example/v2", "x", ""},
		{"https://api.example/v2", "//evil/v2/x", ""},
	} {
		upstream := testkit.Must(url.Parse(c.upstream))(t)
		if c.want == "" {
			c.want = c.location
		}
		if got := (door{"http://localhost:9744", upstream}).rewrite(c.location); got != c.want {
			t.Errorf("%s, %q: %q, want %q", c.upstream, c.location, got, c.want)
		}
	}
}

// Content-Location says what the body is, and where nobody has to go.
func TestContentLocationIsNotRewritten(t *testing.T) {
	var origin string
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", origin+"/new")
		w.Header().Set("Content-Location", origin+"/new")
		w.WriteHeader(http.StatusCreated)
	}))
	for _, on := range []bool{true, false} {
		l := build(t, origin, roots, plan{source: static(), rewriteLocation: on})
		over(t, func(t *testing.T, client *http.Client) {
			want := origin
			if on {
				want = l.url
			}
			a := get(t, client, l.url)
			if got := a.Header.Get("Location"); got != want+"/new" {
				t.Errorf("%v: %s, want %s", on, got, want)
			}
			if got := a.Header.Get("Content-Location"); got != origin+"/new" {
				t.Errorf("%v: %s", on, got)
			}
		})
	}
}

// The client's own clients are its business, and another proxy's before it.
func TestForwardedFieldsPass(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["Forwarded"], r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Host"], r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Port"])
	}))
	sent := func(t *testing.T, l *line, client *http.Client, connection string) string {
		r := request(t, "GET", l.url, nil)
		r.Header = http.Header{"Forwarded": {"for=192.0.2.1"}, "X-Forwarded-For": {"192.0.2.1", "192.0.2.2"}, "X-Forwarded-Host": {"a.example"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"1"}}
		if connection != "" {
			r.Header.Set("Connection", connection)
		}
		return string(do(t, client, r).body)
	}
	passing := build(t, origin, roots, plan{source: static()})
	stripping := build(t, origin, roots, plan{source: static(), policy: Policy{Strip: []string{"Forwarded", "x-forwarded-for"}}})
	over(t, func(t *testing.T, client *http.Client) {
		if got, want := sent(t, passing, client, ""), "[for=192.0.2.1] [192.0.2.1 192.0.2.2] [a.example] [https] [1]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := sent(t, stripping, client, ""), "[] [] [a.example] [https] [1]"; got != want {
			t.Errorf("stripped: %s, want %s", got, want)
		}
		if got, want := string(get(t, client, passing.url).body), "[] [] [] [] []"; got != want {
			t.Errorf("sent by nobody: %s", got)
		}
	})
	if got, want := sent(t, passing, h1Client(t), "x-forwarded-for, close"), "[for=192.0.2.1] [] [a.example] [https] [1]"; got != want {
		t.Errorf("meant for us: %s, want %s", got, want)
	}
}

// Alt-Svc would lead a client past us that takes us for the upstream. Where it asks us
// for another host, it knows that we are none.
func TestAltSvcIsDropped(t *testing.T) {
	alternative := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", `h3=":443"`)
		w.Header().Set("Link", "</x>")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "hello")
	})
	for name, change := range map[string]func(*httptest.Server){"HTTP/2": func(*httptest.Server) {}, "HTTP/1.1": testkit.HTTP1} {
		t.Run(name, func(t *testing.T) {
			origin, roots := upstreamTLS(t, alternative, change)
			l := build(t, origin, roots, plan{source: static()})
			over(t, func(t *testing.T, client *http.Client) {
				var hint textproto.MIMEHeader
				r := request(t, "GET", l.url, nil)
				a := do(t, client, r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
					Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { hint = h; return nil },
				})))
				if a.Header.Get("Alt-Svc") != "" || hint.Get("Link") == "" || hint.Get("Alt-Svc") != "" {
					t.Error(a.Header, hint)
				}
			})
		})
	}
	other := testkit.Server(t, alternative)
	f := forwarding(t, "tunnel", false)
	if got := f.curl(t, "-i", other.URL); !strings.Contains(got, "Alt-Svc") {
		t.Error(got)
	}
}

func TestLocationIsRewrittenToTheAddressThatTheClientUsed(t *testing.T) {
	upstream := &url.URL{Scheme: "https", Host: "api.example"}
	for _, c := range []struct {
		host, absolute string // of the request
		secure, inside bool
		want           string // "" = none
	}{
		{"localhost:9744", "", false, false, "http://localhost:9744"},
		{"localhost:9744", "", true, false, "https://localhost:9744"},
		{"127.0.0.1:9744", "", false, false, "http://127.0.0.1:9744"},
		{"[::1]:9744", "", false, false, "http://[::1]:9744"},
		{"avs.localhost:9744", "", false, false, "http://avs.localhost:9744"},
		{"localhost:8080", "", false, false, "http://localhost:8080"}, // a port that is forwarded
		{"other.example:9744", "", false, false, "http://other.example:9744"},
		{"localhost", "", false, false, "http://localhost:9744"},
		{"::1", "", false, false, ""},
		{"avs.localhost", "http", false, false, "http://avs.localhost"}, // for a forward proxy
		{"avs.localhost", "https", false, false, "https://avs.localhost"},
		{"api.example", "", false, false, ""},
		{"API.example:9744", "", false, false, ""},
		{"api.example", "http", false, false, ""},
		{"avs.localhost:443", "", true, true, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = c.host
		if c.absolute != "" {
			r.URL = &url.URL{Scheme: c.absolute, Host: c.host, Path: "/"}
		}
		if c.secure {
			r.TLS = &tls.ConnectionState{}
		}
		ctx := context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9744})
		if c.inside {
			ctx = httpexchange.WithConn(ctx, &exchange.Conn{Tunnel: &exchange.Authority{Host: "avs.localhost", Port: "443"}}, nil)
		}
		r = r.WithContext(ctx)
		if d, ok := doorOf(exchange.New(httpexchange.Conn(r), httpexchange.Head(r)), upstream); d.address != c.want || ok != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, d.address, ok)
		}
	}
}
