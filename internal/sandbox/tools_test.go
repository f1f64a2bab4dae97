package sandbox

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// run runs a tool and returns its output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	testkit.NeedTool(t, name)
	out, err := exec.CommandContext(within(t, time.Minute), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestNghttp(t *testing.T) {
	s := start(t, Options{})
	out := run(t, "nghttp", "-nv", "-H", "authorization: Bearer "+loggedIn(t, s).AccessToken, s.AVS()+"/sandbox/bytes?n=100000")
	if strings.Contains(out, "[ERROR]") || strings.Contains(out, "PROTOCOL_ERROR") || !strings.Contains(out, ":status: 200") || !strings.Contains(out, "x-amzn-requestid: ") {
		t.Error(out)
	}
}

func TestH2load(t *testing.T) {
	s := start(t, Options{})
	out := run(t, "h2load", "-n2000", "-c3", "-m40", "-H", "authorization: Bearer "+loggedIn(t, s).AccessToken, s.AVS()+"/ping")
	if !strings.Contains(out, "2000 succeeded, 0 failed, 0 errored") || len(s.Ledger()) != 2000 {
		t.Error(out)
	}
}

// TestH2spec runs the conformance suite github.com/summerwind/h2spec, and so judges
// package frames too. It has no
// token, and AVS refuses such requests without waiting for their bodies: what it
// then does wrong may come after the answer's end, where it is ignored. Therefore
// the answers take a while.
func TestH2spec(t *testing.T) {
	s := start(t, Options{})
	setFaults(t, s.Faults(), "slow-headers=100ms")
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(s.AVS(), "https://"))
	out := run(t, testkit.H2spec(t), "--strict", "-t", "-k", "-h", host, "-p", port)
	if !strings.Contains(out, ", 0 skipped, 0 failed") {
		t.Error(out)
	}
}
