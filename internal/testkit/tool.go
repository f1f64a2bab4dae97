package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// NeedTool skips a test that needs a program this machine lacks; in CI it fails.
func NeedTool(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}
