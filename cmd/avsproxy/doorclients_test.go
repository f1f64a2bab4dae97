package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// run has a client, with nothing in its environment that changes its way.
func (d *doorway) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	testkit.NeedTool(t, name)
	cmd := exec.CommandContext(testkit.Context(t), name, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// passed checks that a client told of so many doors, and got through each.
func (d *doorway) passed(t *testing.T, doors int, told string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(told), "\n")
	for _, line := range lines {
		if !strings.HasSuffix(line, " 204") {
			t.Error(line)
		}
	}
	if arrived := len(d.amazon.Ledger()); len(lines) != doors || arrived != doors {
		t.Errorf("%d lines, %d requests at the upstream, want %d:\n%s", len(lines), arrived, doors, told)
	}
}

func TestPythonIsServedOnEveryListener(t *testing.T) {
	d := openDoors(t)
	d.passed(t, 9, d.run(t, "python3", "testdata/clients/doors.py", d.port, d.unix, d.root, insisted))
}

func TestNodeIsServedOnEveryListener(t *testing.T) {
	d := openDoors(t)
	d.passed(t, 10, d.run(t, "node", "testdata/clients/doors.js", d.port, d.unix, d.root, insisted))
}

// nghttp has no proxies and no unix sockets.
func TestNghttpIsServedOnEveryListener(t *testing.T) {
	d := openDoors(t)
	for _, url := range []string{"http://localhost:", "https://localhost:", "http://[::1]:", "https://127.0.0.1:"} {
		if out := d.run(t, "nghttp", "-nv", url+d.port+"/ping"); !regexp.MustCompile(`:status: .{0,9}204`).MatchString(out) {
			t.Errorf("%s\n%s", url, out)
		}
	}
}
