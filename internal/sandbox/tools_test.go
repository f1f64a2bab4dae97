package sandbox

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool runs a program that may be missing on a developer's machine, but not where
// the project is judged.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") == "" {
		t.Skip(name + " is not installed")
	}
	out, err := exec.CommandContext(within(t, time.Minute), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestNghttpSeesNoProtocolError(t *testing.T) {
	s := start(t, Options{})
	out := tool(t, "nghttp", "-v", "-H", "authorization: Bearer "+loggedIn(t, s).AccessToken, s.AVS()+"/ping")
	if strings.Contains(out, "[ERROR]") || strings.Contains(out, "PROTOCOL_ERROR") || !strings.Contains(out, ":status: 204") {
		t.Error(out)
	}
}

func TestH2loadSeesNoProtocolError(t *testing.T) {
	s := start(t, Options{})
	out := tool(t, "h2load", "-n3000", "-c4", "-m50", "-H", "authorization: Bearer "+loggedIn(t, s).AccessToken, s.AVS()+"/ping")
	if !strings.Contains(out, "3000 succeeded, 0 failed, 0 errored") {
		t.Error(out)
	}
}

// TestH2specOfAVS runs the conformance suite against the service itself, on a path
// that asks for no token, since the suite can send none.
func TestH2specOfAVS(t *testing.T) {
	s := start(t, Options{})
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(s.AVS(), "https://"))
	out := tool(t, h2spec(t), "--strict", "-t", "-k", "-h", host, "-p", port, "-P", openProbe)
	if !strings.Contains(out, "146 tests, 146 passed, 0 skipped, 0 failed") {
		t.Error(out)
	}
}

// h2spec returns the path of the suite, which the module of the tools pins. It is
// built where CI asks for every test; elsewhere it must be installed.
func h2spec(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("h2spec"); err == nil {
		return path
	}
	if os.Getenv("CI") == "" {
		t.Skip("h2spec is not installed")
	}
	path := filepath.Join(t.TempDir(), "h2spec")
	build := exec.Command("go", "build", "-modfile=../../tools/go.mod", "-o", path, "github.com/summerwind/h2spec/cmd/h2spec")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building h2spec: %v\n%s", err, out)
	}
	return path
}
