package proxy

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// What comes again is not judged by what came before it: requests whose heads differ in one
// thing alone get what each of them gets alone, in any order.
func TestHeadsThatComeAgainGetTheSame(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var all []string
		for name, values := range r.Header {
			all = append(all, fmt.Sprintf("%s: %q", name, values))
		}
		slices.Sort(all)
		fmt.Fprintln(w, r.Method, r.RequestURI, r.Host == r.TLS.ServerName, strings.Join(all, "; "))
	}))
	for name, p := range map[string]plan{
		"injecting": {},
		"keeping":   {credential: Credential{ClientAuth: KeepClientAuth}},
		"rejecting": {credential: Credential{ClientAuth: RejectClientAuth}},
		"standing":  {credential: Credential{Placeholder: PlaceholderToken{Access: "placeholder"}}},
		"strict":    {policy: Policy{Allow: []string{"GET /a*"}, Headers: map[string]string{"X-Added": "1"}, Strip: []string{"X-Strip"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p.source = static()
			relayed := build(t, origin, roots, p)
			p.standard, p.source = true, static()
			standard := build(t, origin, roots, p)
			clients := map[*line]*http.Client{relayed: h2cClient(t), standard: h2cClient(t)}
			ask := func(l *line, method, path, host string, fields ...string) string {
				req := testkit.Must(http.NewRequest(method, l.url+path, nil))(t)
				if host != "" {
					req.Host = host
				}
				for i := 0; i < len(fields); i += 2 {
					req.Header.Add(fields[i], fields[i+1])
				}
				resp := testkit.Must(clients[l].Do(req))(t)
				defer resp.Body.Close()
				text, _ := io.ReadAll(resp.Body)
				return fmt.Sprint(resp.StatusCode, " ", strings.ReplaceAll(string(text), l.url, "URL"))
			}
			for range 3 {
				for _, one := range [][]string{
					{"GET", "/a", ""}, {"GET", "/ab?c", ""}, {"GET", "/b", ""}, {"DELETE", "/a", ""}, {"TRACE", "/a", ""},
					{"GET", "/a", "alexa.example.com"}, {"GET", "/a", "evil.example.com"},
					{"GET", "/a", "", "Origin", "https://evil.example.com"},
					{"GET", "/a", "", "Authorization", "Bearer own"}, {"GET", "/a", "", "Authorization", "Bearer placeholder"},
					{"GET", "/a", "", "X-Token", "placeholder", "X-Strip", "1"},
					{"GET", "/a", "", "X-HTTP-Method-Override", "DELETE"},
					{"GET", "/a", "", "X-A", "1", "X-A", "2"}, {"GET", "/a", "", "X-A", "2", "X-A", "1"},
					{"GET", "/a", "", "Expect", "100-continue"}, {"GET", "/a", "", "Avsproxy-Key", "x", "X-Strip", "1"},
				} {
					want := ask(standard, one[0], one[1], one[2], one[3:]...)
					for range 3 {
						if got := ask(relayed, one[0], one[1], one[2], one[3:]...); got != want {
							t.Errorf("%q: %s\nwant %s", one, got, want)
						}
					}
				}
			}
		})
	}
}
