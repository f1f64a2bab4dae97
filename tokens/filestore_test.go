package tokens

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

func saved(t *testing.T) (FileStore, string) {
	t.Helper()
	store := FileStore{Dir: filepath.Join(t.TempDir(), "state", "avsproxy")}
	testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
	return store, store.Path("alexa")
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	return testkit.Must(os.Lstat(path))(t)
}

func TestFileStoreKeepsEveryField(t *testing.T) {
	store, _ := saved(t)
	now := wallNow()
	want := Grant{
		Kind: "k", ClientID: "c", Issuer: "i", Seed: "s", Access: `a|"<>&`, Refresh: "r", Scopes: []string{"x", "y"},
		LoggedIn: now.Add(-2), Renewed: now.Add(-1), Expiry: now, Refused: "invalid_grant",
	}
	for _, grant := range []Grant{want, {}} {
		testkit.NoError(t, store.Save("alexa", grant))
		if diff := cmp.Diff(grant, load(t, store)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFileStoreIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps no such modes")
	}
	store, path := saved(t)
	unlock := testkit.Must(store.Lock(t.Context(), "alexa"))(t)
	unlock()
	for path, want := range map[string]fs.FileMode{
		path: 0o600, filepath.Join(store.Dir, "alexa.lock"): 0o600,
		store.Dir: 0o700 | fs.ModeDir, filepath.Dir(store.Dir): 0o700 | fs.ModeDir,
	} {
		if got := stat(t, path).Mode(); got != want {
			t.Errorf("%s is %v", path, got)
		}
	}
}

func TestUnchangedGrantIsNotRewritten(t *testing.T) {
	store, path := saved(t)
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	testkit.NoError(t, os.Chtimes(path, old, old))
	before := stat(t, path)
	testkit.NoError(t, store.Save("alexa", load(t, store)))
	if after := stat(t, path); !os.SameFile(before, after) || !after.ModTime().Equal(old) {
		t.Error("it was written again")
	}
}

func TestSavingThroughALinkReplacesItsTarget(t *testing.T) {
	for _, relative := range []bool{false, true} {
		store, path := saved(t)
		target := filepath.Join(store.Dir, "elsewhere", "grant")
		testkit.NoError(t, os.Mkdir(filepath.Dir(target), 0o700))
		testkit.NoError(t, os.Rename(path, target))
		link := target
		if relative {
			link = filepath.Join("elsewhere", "grant")
		}
		testkit.NoError(t, os.Symlink(link, path))
		grant := load(t, store)
		grant.Access = "changed"
		testkit.NoError(t, store.Save("alexa", grant))
		if stat(t, path).Mode().Type() != fs.ModeSymlink || !stat(t, target).Mode().IsRegular() {
			t.Error("the link was replaced")
		}
		if got := load(t, store); got.Access != "changed" {
			t.Error("the target was not")
		}
	}
}

func TestDeleteLeavesNoSecretBehind(t *testing.T) {
	store, path := saved(t)
	target := filepath.Join(store.Dir, "elsewhere", "grant")
	testkit.NoError(t, os.Mkdir(filepath.Dir(target), 0o700))
	testkit.NoError(t, os.Rename(path, target))
	testkit.NoError(t, os.Symlink(target, path))
	content(canary)(t, filepath.Join(filepath.Dir(target), ".grant.12345.tmp")) // as a killed process leaves it
	for range 2 {
		testkit.NoError(t, store.Delete("alexa"))
	}
	for _, folder := range []string{store.Dir, filepath.Dir(target)} {
		entries := testkit.Must(os.ReadDir(folder))(t)
		for _, entry := range entries {
			if !entry.IsDir() {
				t.Errorf("left: %s", entry.Name())
			}
		}
	}
	if _, err := store.Load("alexa"); !errors.Is(err, ErrNoGrant) {
		t.Error(err)
	}
	testkit.NoError(t, FileStore{Dir: filepath.Join(store.Dir, "never made")}.Delete("alexa"))
}

func TestFullOrMissingFolderIsAnErrorAndNoGrant(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	content("")(t, blocked)
	store := FileStore{Dir: filepath.Join(blocked, "state")}
	if _, err := store.Lock(t.Context(), "alexa"); err == nil {
		t.Error("a lock in a folder that cannot be")
	}
	if err := store.Save("alexa", stored(time.Hour)); err == nil {
		t.Error("saved in a folder that cannot be")
	}
	source := &Source{Name: "alexa", Store: store}
	if err := source.SetGrant(t.Context(), stored(time.Hour)); err == nil {
		t.Error("no error")
	}
	mustToken(t, source)
	source.mu.Lock()
	defer source.mu.Unlock()
	source.saver.Stop() // or it would make the folders once the test has taken them away
}

func TestGrantTooLargeToBeLoadedIsNotSaved(t *testing.T) {
	store, _ := saved(t)
	grant := stored(time.Hour)
	grant.Refresh = Secret(strings.Repeat("x", grantMaxBytes))
	if err := store.Save("alexa", grant); err == nil || len(err.Error()) > 200 {
		t.Error(err)
	}
	load(t, store)
}

func TestLockKeepsOthersOutUntilItIsFreed(t *testing.T) {
	for name, store := range map[string]Store{"file": FileStore{Dir: t.TempDir()}, "memory": &MemoryStore{}, "keyring": &KeyringStore{Dir: t.TempDir()}} {
		unlock := testkit.Must(store.Lock(t.Context(), "alexa"))(t)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := store.Lock(ctx, "alexa"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		other := testkit.Must(store.Lock(t.Context(), "other"))(t)
		other()
		unlock()
		again := testkit.Must(store.Lock(t.Context(), "alexa"))(t)
		again()
	}
}
