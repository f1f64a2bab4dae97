package avs

import (
	"runtime"
	"strings"
	"testing"
)

// A message of nothing but delimiters has as many parts as it has lines, and each of
// them something to find.
func TestLintOfManyPartsIsBounded(t *testing.T) {
	body := []byte(strings.Repeat("--B\r\n\r\n", 1<<20/7))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found := Lint(formB, body, true)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 || len(found) > 2*maxLintParts {
		t.Errorf("1 MiB takes %d MiB, and has %d findings", used>>20, len(found))
	}
	if !says(found, LevelWarning, `named ""`) {
		t.Errorf("%v", found[:min(len(found), 3)])
	}
}
