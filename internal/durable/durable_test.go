package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestWriteFileCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	for _, content := range []string{"", "first", "the second, longer one", "3"} {
		mustWrite(t, path, content, 0o600)
		wantContent(t, path, content)
		wantMode(t, path, 0o600)
		wantOnly(t, filepath.Dir(path), "grant.json")
	}
}

func TestWriteFileLeavesUnchangedContentAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	mustWrite(t, path, "same", 0o600)
	past := time.Now().Add(-time.Hour)
	testkit.NoError(t, os.Chtimes(path, past, past))
	before := stat(t, path)

	mustWrite(t, path, "same", 0o600)
	after := stat(t, path)
	if !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Error("unchanged content was rewritten")
	}

	mustWrite(t, path, "diff", 0o600) // same length
	if os.SameFile(before, stat(t, path)) {
		t.Error("changed content was written in place")
	}
}

func TestWriteFileCorrectsTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	mustWrite(t, path, "same", 0o644)
	mustWrite(t, path, "same", 0o600)
	wantMode(t, path, 0o600)
}

func TestWriteFileFailedRenameLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	mustWrite(t, path, "old", 0o600)
	broken := errors.New("broken")

	pending := testkit.Must(Prepare(path, []byte("new"), 0o600))(t)
	if err := pending.commit(func(string, string) error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	wantContent(t, path, "old")
	wantOnly(t, filepath.Dir(path), "grant.json")
}

func TestWriteFileRefusesAFolderInItsPlace(t *testing.T) {
	folder := t.TempDir()
	testkit.NoError(t, os.MkdirAll(filepath.Join(folder, "grant.json", "inside"), 0o700))
	if err := WriteFile(filepath.Join(folder, "grant.json"), []byte("new"), 0o600); err == nil {
		t.Fatal("want an error")
	}
	wantOnly(t, folder, "grant.json")
}

func TestWriteFileWithoutItsFolder(t *testing.T) {
	err := WriteFile(filepath.Join(t.TempDir(), "missing", "grant.json"), nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestWriteFileReplacesALink(t *testing.T) {
	folder := t.TempDir()
	victim, link := filepath.Join(folder, "victim"), filepath.Join(folder, "link")
	mustWrite(t, victim, "same", 0o600)
	if err := os.Symlink(victim, link); err != nil {
		t.Skip(err)
	}
	mustWrite(t, link, "same", 0o600)
	info, err := os.Lstat(link)
	if err != nil || !info.Mode().IsRegular() {
		t.Errorf("link is %v, %v", info.Mode(), err)
	}
}

func TestWriteFileReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	mustWrite(t, path, "", 0o600)
	var writers sync.WaitGroup
	for i := range 4 {
		content := bytes.Repeat([]byte{byte('a' + i)}, 64<<10*(i+1))
		writers.Go(func() {
			for range 5 {
				if err := WriteFile(path, content, 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		data := testkit.Must(os.ReadFile(path))(t)
		if len(data) > 0 && bytes.Count(data, data[:1]) != len(data) || len(data)%(64<<10) != 0 {
			t.Fatalf("torn file of %d bytes", len(data))
		}
	}
	writers.Wait()
	wantOnly(t, filepath.Dir(path), "grant.json")
}

func TestMkdirPrivate(t *testing.T) {
	base := t.TempDir()
	path := filepath.Join(base, "state", "avsproxy", "sandbox")
	for range 2 {
		testkit.NoError(t, MkdirPrivate(path))
	}
	wantMode(t, path, 0o700)
	wantMode(t, filepath.Dir(path), 0o700)
}

func TestMkdirPrivateLeavesAnOldFolderAlone(t *testing.T) {
	path := t.TempDir()
	testkit.NoError(t, os.Chmod(path, 0o755))
	testkit.NoError(t, MkdirPrivate(path))
	wantMode(t, path, 0o755)
}

func TestMkdirPrivateRefusesAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	mustWrite(t, file, "", 0o600)
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := MkdirPrivate(path); err == nil {
			t.Errorf("%s: want an error", path)
		}
	}
}

func TestMkdirPrivateRefusesADanglingLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(link+"-target", link); err != nil {
		t.Skip(err)
	}
	if err := MkdirPrivate(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func mustWrite(t *testing.T, path, content string, perm fs.FileMode) {
	t.Helper()
	testkit.NoError(t, WriteFile(path, []byte(content), perm))
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	return testkit.Must(os.Stat(path))(t)
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	if got := stat(t, path).Mode().Perm(); got != want {
		t.Errorf("mode of %s is %o, want %o", path, got, want)
	}
}

func wantOnly(t *testing.T, folder, name string) {
	t.Helper()
	entries := testkit.Must(os.ReadDir(folder))(t)
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s holds %v, want only %s", folder, entries, name)
	}
}
func TestLeftoversAreOurOwnTemporaryFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grant.json")
	ours := testkit.Must(writeTemp(path, []byte("half"), 0o600))(t)
	for _, name := range []string{".grant.json.mine.tmp", ".grant.json..tmp", ".grant.json.1.damaged.2.tmp", ".other.json.1.tmp", "grant.json.1.tmp", ".grant.json.1.tmp~"} {
		mustWrite(t, filepath.Join(filepath.Dir(path), name), "somebody's", 0o600)
	}
	testkit.NoError(t, MkdirPrivate(filepath.Join(filepath.Dir(path), ".grant.json.7.tmp")))
	if got := Leftovers(path); !slices.Equal(got, []string{ours}) {
		t.Errorf("got %v, want %s", got, ours)
	}
}
