package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"avsproxy/internal/testkit"
)

func TestUpstreamCannotSpeakForTheProxyInTrailers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*httptest.Server)
		prefix string // of trailers that are not announced
	}{
		"HTTP/1.1": {testkit.HTTP1, ""},
		"HTTP/2":   {func(*httptest.Server) {}, http.TrailerPrefix},
	} {
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.prefix == "" {
				w.Header().Set("Trailer", "Avsproxy-Error, Avsproxy-Decision, Avsproxy-Notice, X-Own")
			}
			io.WriteString(w, "text")
			http.NewResponseController(w).Flush()
			for _, field := range []string{"Avsproxy-Error", "Avsproxy-Decision", "Avsproxy-Notice", "X-Own"} {
				w.Header().Set(c.prefix+field, "said")
			}
		}), c.change)
		l := build(t, origin, roots, plan{source: static()})
		over(t, func(t *testing.T, client *http.Client) {
			if got := do(t, client, request(t, "GET", l.url, nil)).Trailer; len(got) != 1 || got.Get("X-Own") != "said" {
				t.Errorf("%s: trailers %v", name, got)
			}
		})
	}
}
