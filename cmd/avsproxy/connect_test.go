package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// curlThrough runs curl with the proxy as its forward proxy.
func curlThrough(t *testing.T, proxy *runningProxy, args ...string) string {
	t.Helper()
	testkit.NeedTool(t, "curl")
	args = append([]string{"-qsS", "--max-time", "20", "-x", proxy.Proxy[0], "--cacert", filepath.Join(proxy.State, "ca.pem")}, args...)
	cmd := exec.Command("curl", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no_proxy would make of it another test
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, "\n"+err.Error()...)
	}
	return string(out)
}

func TestForwardProxyInjects(t *testing.T) {
	proxy, amazon := startBoth(t)
	logIn(t, proxy, amazon)
	for _, args := range [][]string{
		{"https://avs.localhost/ping"}, {"--http1.1", "https://avs.localhost/ping"}, {"https://localhost/ping"},
		{"-p", "http://avs.localhost/ping"}, {"http://avs.localhost/ping"},
	} {
		if got := curlThrough(t, proxy, append(args, "-w", "%{http_code}")...); got != "204" {
			t.Errorf("%v: %s", args, got)
		}
	}
	if got := curlThrough(t, proxy, "https://elsewhere.example/"); !strings.Contains(got, "403") {
		t.Error(got)
	}
}

// startTunnelling is startProxy with others = "tunnel".
func startTunnelling(t *testing.T, text string) *runningProxy {
	t.Helper()
	return startProxy(t, strings.Replace(text, "[proxy]\n", "[proxy]\nothers = \"tunnel\"\n", 1))
}

func TestRequestsWithoutARouteAreTunnelledWhereAllowed(t *testing.T) {
	proxy := startTunnelling(t, "sandbox = true\n[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"avs\"\npreset = \"avs\"\nupstream = \"https://alexa.na.gateway.devices.a2z.com\"\ncredential = \"alexa\"\n[credential.alexa]\nprovider = \"amazon\"\nproduct_id = \"test_device\"\ndevice_serial_number = \"1\"\n")
	other := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "untouched "+r.Header.Get("Authorization"))
	}), testkit.HTTP1)
	if got := curlThrough(t, proxy, "-k", other.URL); got != "untouched " {
		t.Error(got)
	}
	host := strings.TrimPrefix(other.URL, "https://")
	testkit.Eventually(t, "the tunnel in the log", func() bool { return strings.Contains(proxy.Stderr.String(), "CONNECT "+host) })
	if said := proxy.Stderr.String(); !strings.Contains(said, "tunnelled") {
		t.Error(said)
	}
	_, console, _ := net.SplitHostPort(strings.TrimPrefix(proxy.Console, "http://"))
	for _, target := range []string{"http://localhost:" + console + "/metrics", "http://127.0.0.1:" + console + "/metrics", "http://169.254.169.254/"} {
		if got := curlThrough(t, proxy, target); !strings.Contains(got, `"not_allowed"`) {
			t.Errorf("%s: %s", target, got)
		}
		if got := curlThrough(t, proxy, "-p", target); !strings.Contains(got, "403") {
			t.Errorf("CONNECT %s: %s", target, got)
		}
	}
}
