package testkit

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A reason is why tests are skipped, and what to do to have them run.
type reason struct{ why, hint string }

// skipped counts the tests that were skipped, by reason.
var skipped = struct {
	sync.Mutex
	tests map[reason]int
}{tests: map[reason]int{}}

// skip skips a test and counts it for the report.
func skip(t testing.TB, why, hint string) {
	t.Helper()
	skipped.Lock()
	skipped.tests[reason{why, hint}]++
	skipped.Unlock()
	t.Skipf("%s (%s)", why, hint)
}

// reportSkipped writes a line for each reason. "go test" drops what a passing package
// prints, so the lines go to the standard error of the go command itself.
func reportSkipped() {
	lines := skippedLines()
	if len(lines) == 0 {
		return
	}
	out := goStderr()
	if out == nil {
		return
	}
	defer out.Close()
	io.WriteString(out, strings.Join(lines, ""))
}

func skippedLines() []string {
	skipped.Lock()
	defer skipped.Unlock()
	name := "?"
	if info, ok := debug.ReadBuildInfo(); ok {
		name = strings.TrimSuffix(info.Path, ".test")
	}
	var lines []string
	for r, n := range skipped.tests {
		tests := "tests"
		if n == 1 {
			tests = "test"
		}
		lines = append(lines, fmt.Sprintf("%s: %d %s skipped: %s (%s)\n", name, n, tests, r.why, r.hint))
	}
	slices.Sort(lines)
	return lines
}

// goStderr opens the standard error of the go command that runs this test; nil = there
// is none to open. Linux alone makes it reachable. A regular file that is also the
// command's standard output is left alone: two writers would overwrite each other.
func goStderr() *os.File {
	proc := filepath.Join("/proc", fmt.Sprint(os.Getppid()))
	if name, err := os.ReadFile(filepath.Join(proc, "comm")); err != nil || strings.TrimSpace(string(name)) != "go" {
		return nil
	}
	stderr := filepath.Join(proc, "fd", "2")
	out, outErr := os.Stat(filepath.Join(proc, "fd", "1"))
	info, err := os.Stat(stderr)
	if outErr != nil || err != nil || info.Mode().IsRegular() && os.SameFile(info, out) {
		return nil
	}
	file, err := os.OpenFile(stderr, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil
	}
	return file
}
