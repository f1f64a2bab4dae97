package testkit

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is for TestMain: it runs the tests of a package, fails where goroutines outlive
// them, and reports what was skipped.
func Main(m *testing.M) { Exit(m.Run()) }

// Exit is [Main] behind the run of the tests, whose code it takes.
func Exit(code int) {
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	reportSkipped()
	os.Exit(code)
}
