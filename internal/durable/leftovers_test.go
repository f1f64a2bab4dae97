package durable

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestLeftoversAreOurOwnTemporaryFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	ours, err := writeTemp(path, []byte("half"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".grant.json.mine.tmp", ".grant.json..tmp", ".grant.json.1.damaged.2.tmp", ".other.json.1.tmp", "grant.json.1.tmp", ".grant.json.1.tmp~"} {
		mustWrite(t, filepath.Join(filepath.Dir(path), name), "somebody's", 0o600)
	}
	if err := MkdirPrivate(filepath.Join(filepath.Dir(path), ".grant.json.7.tmp")); err != nil {
		t.Fatal(err)
	}
	if got := Leftovers(path); !slices.Equal(got, []string{ours}) {
		t.Errorf("got %v, want %s", got, ours)
	}
}
