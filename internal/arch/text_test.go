package arch

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// machines are what ties a text to one machine or network: home folders (but for
// the made-up users of examples and tests) and hosts that modules and packages
// are fetched from. They are spelled so that they do not match themselves.
var machines = regexp.MustCompile(strings.Join([]string{
	`/(?:home|Users)/[A-Za-z0-9._-]+`, `/r[o]ot/`, `/w[o]rk/`, `[A-Z]:\\Users\\`,
	`(?:proxy|sum|index)\.golang\.[o]rg`, `goproxy\.[ic][on]`, `pypi\.[o]rg`, `npmjs\.[o]rg`, `deb\.debian\.[o]rg`, `ubuntu\.[c]om`,
}, "|"))

var madeUp = []string{"/home/x", "/home/someone", "/home/you", "/home/user", "/home/pi", "/Users/you", "/Users/someone"}

func TestNoTextNamesAMachine(t *testing.T) {
	read := 0
	for path, text := range texts(t) {
		read++
		for i, line := range bytes.Split(text, []byte("\n")) {
			for _, found := range machines.FindAllString(string(line), -1) {
				if !slices.Contains(madeUp, found) {
					t.Errorf("%s:%d: %s", path, i+1, found)
				}
			}
		}
	}
	if read < 50 {
		t.Errorf("only %d files were read", read)
	}
}

// texts yields the text files of the repository, but for .git, which is a file in a
// worktree. What Git ignores is left out as
// far as it lies at the root, where builds and profiles leave it.
func texts(t *testing.T) func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := entry.Name()
			if entry.IsDir() && (name == ".git" || path == filepath.Join(root, "tmp")) {
				return fs.SkipDir
			}
			if !entry.Type().IsRegular() || name == ".git" || slices.Contains([]string{".out", ".test", ".prof"}, filepath.Ext(name)) {
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !bytes.Contains(text, []byte{0}) && !yield(path, text) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// The rule above must see what it is there for.
func TestMachinesAreRecognised(t *testing.T) {
	for _, text := range []string{
		"/ho" + "me/alice/x", "/Us" + "ers/bob", "/ro" + "ot/.cache", "/wo" + "rk/tree", "proxy.gol" + "ang.org", "sum.gol" + "ang.org", "goproxy." + "io", "pypi." + "org",
	} {
		if found := machines.FindString(text); found == "" || slices.Contains(madeUp, found) {
			t.Errorf("%s is not recognised", text)
		}
	}
	for _, text := range []string{"elazarl/goproxy", "golang.org/x/net", "the root/leaf", "https://example.com/home"} {
		if found := machines.FindString(text); found != "" {
			t.Errorf("%s is taken for a machine: %s", text, found)
		}
	}
}
