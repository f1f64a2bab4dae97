package testkit

import (
	"os"
	"testing"
)

// Heavy skips a test that takes long, unless AVSPROXY_HEAVY is set, as .ci/run does.
func Heavy(t testing.TB) {
	t.Helper()
	if !IsHeavy() {
		skip(t, "heavy", "AVSPROXY_HEAVY=1 go test ./...")
	}
}

// IsHeavy reports whether tests take the time that they need. Else a test that can
// show its point with less runs fewer rounds, or opens fewer connections.
func IsHeavy() bool { return os.Getenv("AVSPROXY_HEAVY") != "" }
