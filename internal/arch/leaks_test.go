package arch

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leakCheck is what a TestMain calls; by itself, where it has more to do at the end.
var leakCheck = regexp.MustCompile(`goleak\.(VerifyTestMain\(m|Find\()`)

// A goroutine that outlives the tests outlives whatever else starts it.
func TestEveryPackageWithTestsLooksForLeaks(t *testing.T) {
	looks := map[string]bool{}
	for path, text := range texts(t) {
		if strings.HasSuffix(path, "_test.go") {
			dir := filepath.Dir(path)
			looks[dir] = looks[dir] || leakCheck.Match(text)
		}
	}
	if len(looks) < 15 {
		t.Fatalf("only %d packages with tests were found", len(looks))
	}
	for dir, does := range looks {
		if !does {
			t.Errorf("%s: no TestMain looks for leaked goroutines, as goleak.VerifyTestMain does", dir)
		}
	}
}
