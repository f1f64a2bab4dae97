package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/testkit"
)

// A client that follows a Location of the upstream's comes to the proxy again, however
// it came the first time.
func TestRedirectsToTheUpstreamAreFollowedThroughTheProxy(t *testing.T) {
	testkit.NeedTool(t, "curl")
	var upstream *httptest.Server
	upstream = testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Token", r.Header.Get("Authorization"))
		if r.URL.Path == "/v2/old" {
			w.Header().Set("Location", upstream.URL+"/v2/new?a=%2f")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}), testkit.HTTP1)
	roots := testkit.CertFile(t, upstream)
	route := func(name, more string) string {
		return fmt.Sprintf("[[route]]\nname = %q\nupstream = \"%s/v2\"\nca_file = %q\ncredential = \"fixed\"\n%s\n", name, upstream.URL, roots, more)
	}
	socket := filepath.Join(testkit.SocketDir(t), "s")
	proxy := serveBuilt(t, fmt.Sprintf("[proxy]\nlisten = [\"localhost:0\", \"unix:%s\"]\n[console]\nlisten = \"localhost:0\"\n", socket)+
		route("api", "")+route("off", "rewrite_location = false")+"[credential.fixed]\ngrant = \"static\"\ntoken = \"c4n4ry\"\n")
	port := app.PortOf(proxy.Proxy[0])
	follow := func(args ...string) string {
		args = append([]string{"-qsSiL", "--max-time", "20", "--cacert", filepath.Join(proxy.State, "ca.pem")}, args...)
		cmd := exec.Command("curl", args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		return fmt.Sprintf("%s%v", out, err)
	}
	for _, args := range [][]string{
		{"http://localhost:" + port + "/old"}, {"https://localhost:" + port + "/old"}, {"http://127.0.0.1:" + port + "/old"},
		{"http://api.localhost:" + port + "/old"}, {"https://api.localhost:" + port + "/old"},
		{"-H", "Host: localhost", "http://localhost:" + port + "/old"}, {"-x", proxy.Proxy[0], "http://api.localhost/old"},
		{"--unix-socket", socket, "http://localhost/old"},
	} {
		if got := follow(args...); strings.Count(strings.ToLower(got), "x-token: bearer c4n4ry") != 2 {
			t.Errorf("%v:\n%s", args, got)
		}
	}
	for _, args := range [][]string{{"http://off.localhost:" + port + "/old"}, {"-x", proxy.Proxy[0], "https://api.localhost/old"}} {
		if got := follow(args...); !strings.Contains(got, "ocation: "+upstream.URL+"/v2/new") {
			t.Errorf("%v:\n%s", args, got)
		}
	}
}
