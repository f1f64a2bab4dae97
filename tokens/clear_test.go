package tokens

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries := testkit.Must(os.ReadDir(dir))(t)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		testkit.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
}

func TestTidyRemovesWhatKilledProcessesLeft(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	for name, grant := range map[string]Grant{
		"plain": {Access: "a", Refresh: "r"}, "marked": {Access: "a", Refresh: "r", PendingSince: time.Now()}, "busy": {Access: "a"},
	} {
		testkit.NoError(t, store.Save(name, grant))
	}
	want := append(filesIn(t, store.Dir), "busy.lock", "plain.lock", "marked.lock", "gone.lock")
	stays := []string{".marked.grant.json.1.tmp", ".busy.grant.json.1.tmp", ".plain.grant.json.mine.tmp", "plain.grant.json.1.tmp", ".plain.notes.1.tmp"}
	write(t, store.Dir, stays...)
	write(t, store.Dir, ".plain.grant.json.1.tmp", ".plain.previous.json.22.tmp", ".plain.grant.json.damaged.3.tmp", ".gone.grant.json.1.tmp")
	unlock := testkit.Must(store.Lock(context.Background(), "busy"))(t)
	defer unlock()
	store.Tidy()
	want = append(want, stays...)
	slices.Sort(want)
	if got := filesIn(t, store.Dir); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestClearRemovesWholeLoginsThatAreOurs(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	for _, name := range []string{"ours", "ours.given", "theirs", "mixed"} {
		for _, client := range []string{"first", "second"} {
			if name == "theirs" || name == "mixed" && client == "first" {
				client = "another, " + client
			}
			testkit.NoError(t, store.Save(name, Grant{ClientID: client, Access: Secret(client)}))
		}
		write(t, store.Dir, name+".lock", "."+name+".grant.json.1.tmp", name+".grant.json.damaged")
	}
	write(t, store.Dir, "notes", ".grant.json", "alone.lock")
	testkit.NoError(t, store.Clear(func(content []byte) bool { return !bytes.Contains(content, []byte("another")) }))
	for _, name := range filesIn(t, store.Dir) {
		if bytes.Contains([]byte(name), []byte("ours")) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{
		"notes", ".grant.json", "alone.lock", "theirs.grant.json", "theirs.previous.json", "theirs.lock", ".theirs.grant.json.1.tmp", "theirs.grant.json.damaged",
		"mixed.grant.json", "mixed.previous.json", "mixed.lock",
	} {
		if !slices.Contains(filesIn(t, store.Dir), name) {
			t.Errorf("%s is gone", name)
		}
	}
	if err := (FileStore{Dir: filepath.Join(store.Dir, "missing")}).Clear(nil); err != nil {
		t.Error(err)
	}
}
