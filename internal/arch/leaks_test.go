package arch

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// leakCheck is what a TestMain calls: testkit's function looks for leaks, too.
	leakCheck = regexp.MustCompile(`goleak\.(VerifyTestMain\(m|Find\()|\bMain\(m\)|testkit\.Exit\(`)
	// reported are the functions whose skips a TestMain of testkit's reports.
	reported = regexp.MustCompile(`testkit\.(Need[A-Z]\w*|H2spec|Heavy|SmallDisk)\(`)
	reports  = regexp.MustCompile(`\bMain\(m\)|testkit\.Exit\(`)
)

// matching returns the folders with tests, and in which of them some test file matches.
func matching(t *testing.T, pattern *regexp.Regexp) map[string]bool {
	t.Helper()
	dirs := map[string]bool{}
	for path, text := range texts(t) {
		if strings.HasSuffix(path, "_test.go") {
			dir := filepath.Dir(path)
			dirs[dir] = dirs[dir] || pattern.Match(text)
		}
	}
	return dirs
}

// A goroutine that outlives the tests outlives whatever else starts it.
func TestEveryPackageWithTestsLooksForLeaks(t *testing.T) {
	looks := matching(t, leakCheck)
	if len(looks) < 15 {
		t.Fatalf("only %d packages with tests were found", len(looks))
	}
	for dir, does := range looks {
		if !does {
			t.Errorf("%s: no TestMain looks for leaked goroutines, as testkit.Main does", dir)
		}
	}
}

// A test that is skipped unseen is not missed.
func TestEveryPackageReportsWhatItSkips(t *testing.T) {
	reporting := matching(t, reports)
	for dir, skips := range matching(t, reported) {
		if skips && !reporting[dir] {
			t.Errorf("%s: no TestMain reports the skipped tests, as testkit.Main does", dir)
		}
	}
}
