package tokens

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// refusedFiles makes each kind of file that must be refused, at path.
var refusedFiles = map[string]struct {
	make func(t *testing.T, path string)
	says string
}{
	"corrupt":      {content("{\"version\":1,\"access_token\":\"" + canary), "is damaged"},
	"empty":        {content(""), "is damaged"},
	"null":         {content("null"), "is damaged"},
	"two values":   {content("{\"version\":1,\"credential\":\"alexa\"}{}"), "is damaged"},
	"version -1":   {content(`{"version":-1,"credential":"alexa"}`), "is damaged"},
	"not ours":     {content(`{"access_token":"` + canary + `"}`), "is damaged"},
	"no checksum":  {content(`{"version":1,"credential":"alexa","grant":{"access_token":"` + canary + `"}}`), "is damaged"},
	"newer":        {content(`{"version":2,"credential":"alexa"}`), "newer avsproxy (format 2)"},
	"foreign":      {content(`{"version":1,"credential":"other"}`), `holds the login of "other"`},
	"long foreign": {content(`{"version":1,"credential":"` + strings.Repeat("x", 999) + `"}`), `xxx"`},
	"too big":      {content(strings.Repeat(" ", grantMaxBytes+1)), "too large"},
	"folder":       {func(t *testing.T, path string) { testkit.NoError(t, os.Mkdir(path, 0o700)) }, "is not a file"},
	"open to all":  {func(t *testing.T, path string) { content("x")(t, path); testkit.NoError(t, os.Chmod(path, 0o644)) }, "can be read by others (mode 0644)"},
	"open to group": {func(t *testing.T, path string) { content("x")(t, path); testkit.NoError(t, os.Chmod(path, 0o620)) },
		"can be read by others (mode 0620)"},
	"foreign owner": {func(t *testing.T, path string) {
		testkit.NeedRoot(t)
		content("x")(t, path)
		testkit.NoError(t, os.Chown(path, 12345, -1))
	}, "belongs to another user (uid 12345)"},
	"dangling link":  {func(t *testing.T, path string) { testkit.NoError(t, os.Symlink(path+".gone", path)) }, "link to nothing"},
	"link to itself": {func(t *testing.T, path string) { testkit.NoError(t, os.Symlink(path, path)) }, "cannot be read"},
}

func content(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) { testkit.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
}

func TestUnusableFilesAreRefusedAndNeverOverwritten(t *testing.T) {
	for name, c := range refusedFiles {
		t.Run(name, func(t *testing.T) {
			store := FileStore{Dir: t.TempDir()}
			path := store.Path("alexa")
			c.make(t, path)
			before := stat(t, path)
			_, loadErr := store.Load("alexa")
			checkUnusable(t, loadErr, path, c.says)
			if c.says == "is damaged" {
				return // see TestDamagedFileIsSetAside
			}
			checkUnusable(t, store.Save("alexa", stored(time.Hour)), path, c.says)
			if after := stat(t, path); !os.SameFile(before, after) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
				t.Error("the file changed")
			}
			if entries, _ := os.ReadDir(store.Dir); len(entries) != 1 {
				t.Errorf("left over: %v", entries)
			}
			source := &Source{Name: "alexa", Store: store}
			checkUnusable(t, source.Load(), path, c.says)
			checkUnusable(t, source.Logout(t.Context()), path, c.says)
			stat(t, path)
		})
	}
}

func checkUnusable(t *testing.T, err error, path, says string) {
	t.Helper()
	var unusable *UnusableError
	if !errors.As(err, &unusable) || unusable.Path != path || unusable.Hint == "" || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v; should say %q", err, says)
		return
	}
	if testkit.HasCanary(err.Error()) || len(err.Error()) > 1000 {
		t.Errorf("the error quotes the file: %v", err)
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, c := range refusedFiles {
		if c.says != "is damaged" {
			continue
		}
		store := FileStore{Dir: t.TempDir()}
		path := store.Path("alexa")
		c.make(t, path)
		before := testkit.Must(os.ReadFile(path))(t)
		testkit.NoError(t, store.Save("alexa", stored(time.Hour)))
		if got := load(t, store); !got.sameTokens(stored(time.Hour)) {
			t.Errorf("%s: the login was not saved", name)
		}
		if aside, err := os.ReadFile(path + ".damaged"); err != nil || string(aside) != string(before) {
			t.Errorf("%s: %v, %d bytes", name, err, len(aside))
		}
		c.make(t, path)
		testkit.NoError(t, (&Source{Name: "alexa", Store: store}).Logout(t.Context()))
		if entries, _ := os.ReadDir(store.Dir); len(entries) != 1 { // the lock
			t.Errorf("%s: left over after a logout: %v", name, entries)
		}
	}
}
