package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fileName is a file of this repository between backquotes, by its path from the root.
var fileName = regexp.MustCompile("`((?:cmd|docs|examples|internal|proxy|tokens|tools)/[\\w./-]+\\.(?:css|go|html|js|json|md|toml|txt|wav))`")

// A walk by file names leads nowhere once the files have moved.
func TestFilesNamedInThePagesExist(t *testing.T) {
	named := 0
	for path, text := range texts(t) {
		if filepath.Ext(path) != ".md" || strings.HasSuffix(path, "CHANGELOG.md") {
			continue
		}
		for _, found := range fileName.FindAllSubmatch(text, -1) {
			named++
			if _, err := os.Stat(filepath.Join(root, string(found[1]))); err != nil {
				t.Errorf("%s names %s, which does not exist", path, found[1])
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d names of files were found", named)
	}
}
