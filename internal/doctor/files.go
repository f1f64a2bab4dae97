package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"

	"github.com/zalando/go-keyring"
)

// Configuration is about the file that conf was read from. loaded is when a running proxy read it;
// zero = none runs.
func Configuration(conf *config.Config, loaded time.Time) (all []Finding) {
	if conf.File == "" {
		return []Finding{ok("configuration", "there is no file; the one that comes with avsproxy holds")}
	}
	info, err := os.Stat(conf.File)
	if err != nil {
		return []Finding{fail("configuration", err.Error(), "put the file there again")}
	}
	all = append(all, ok("configuration", "%s", conf.File))
	if !loaded.IsZero() && info.ModTime().After(loaded) {
		all = append(all, warn("configuration", "it was edited since the running proxy read it", "end 'avsproxy serve' and start it again"))
	}
	return all
}

// BadConfiguration is about a configuration that cannot be used; hint is what to do about err as a whole.
func BadConfiguration(err error, hint string) (all []Finding) {
	var issues config.Issues
	if !errors.As(err, &issues) {
		return []Finding{fail("configuration", err.Error(), hint)}
	}
	for _, issue := range issues {
		next := cmp.Or(issue.Hint, "correct that, and run 'avsproxy config check'")
		issue.Hint = ""
		all = append(all, fail("configuration", issue.String(), next))
	}
	return all
}

// SecretFiles is about files that hold secrets: the configuration itself is one where secrets stand in it.
func SecretFiles(conf *config.Config) (all []Finding) {
	for _, path := range conf.SecretFiles {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			all = append(all, fail("secret in a file", err.Error(), "make it a file that you may read"))
		case openToOthers(info, 0o077):
			all = append(all, warn("secret in a file", fmt.Sprintf("others can read %s (mode %#o)", path, info.Mode().Perm()), "chmod 600 "+path))
		default:
			all = append(all, ok("secret in a file", "%s", path))
		}
	}
	return all
}

// openToOthers reports whether some of the bits are set, where the system has them.
func openToOthers(info fs.FileInfo, bits fs.FileMode) bool {
	_, hasOwner := durable.Owner(info)
	return hasOwner && info.Mode().Perm()&bits != 0
}

// Store is about where logins are kept: the folder, the locks there, and the keyring.
func Store(ctx context.Context, conf *config.Config) []Finding {
	all := folder(ctx, conf.Store.Path)
	if conf.Store.Kind == "keyring" && !conf.Sandbox {
		all = append(all, keyringAnswers(ctx))
	}
	return all
}

// SharedStore is about a store that other machines use, too; nil = there is none.
func SharedStore(store *api.Store) (all []Finding) {
	switch {
	case store == nil:
		return nil
	case store.Problem != nil:
		return []Finding{fail("store", store.Problem.Message, store.Problem.Hint)}
	}
	all = append(all, ok("store", "%s, which other machines share, answers", store.Where))
	for _, warning := range store.Warnings {
		all = append(all, warn("store", "it may lose logins", warning))
	}
	return all
}

func folder(ctx context.Context, path string) (all []Finding) {
	if path == "" {
		return []Finding{ok("store", "memory; no folder is used")}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{ok("store", "%s, which 'avsproxy serve' makes", path)}
	case err != nil:
		return []Finding{fail("store", err.Error(), "see that the folder is yours, or set path in [store]")}
	case !info.IsDir():
		return []Finding{fail("store", path+" is not a folder", "move it away, or set path in [store]")}
	case openToOthers(info, 0o022):
		return []Finding{fail("store", fmt.Sprintf("other users can change what is in %s (mode %#o)", path, info.Mode().Perm()), "chmod 700 "+path)}
	case openToOthers(info, 0o055):
		all = append(all, warn("store", fmt.Sprintf("other users can look into %s (mode %#o)", path, info.Mode().Perm()), "chmod 700 "+path))
	}
	if uid, known := durable.Owner(info); known && uid != os.Geteuid() {
		all = append(all, fail("store", fmt.Sprintf("%s belongs to another user (uid %d)", path, uid), "chown it, or set path in [store] to a folder of yours"))
	}
	return append(all, writable(path), locks(ctx, path))
}

// writable writes a file of the size of a login, and removes it.
func writable(path string) Finding {
	file := filepath.Join(path, "doctor-"+rand.Text())
	err := durable.WriteFile(file, make([]byte, 16<<10), 0o600)
	os.Remove(file)
	switch {
	case durable.Full(err):
		return fail("store", "the disk of "+path+" is full: renewed logins cannot be saved", "make room on it")
	case err != nil:
		return fail("store", "nothing can be saved: "+err.Error(), "see that the folder is yours and can be written to")
	}
	return ok("store", "%s can be written to", path)
}

// lockWait is longer than a renewal holds a lock, as a rule.
const lockWait = 3 * time.Second

// locks tries the locks of all logins.
func locks(ctx context.Context, path string) Finding {
	files, _ := filepath.Glob(filepath.Join(path, "*.lock"))
	inner, _ := filepath.Glob(filepath.Join(path, "*", "*.lock")) // of the sandbox and the keyring
	files = append(files, inner...)
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for _, file := range files {
		unlock, err := durable.Lock(ctx, file, nil)
		if err != nil {
			return fail("store", "another process holds "+file+" for long", "see who that is: fuser "+file)
		}
		unlock()
	}
	return ok("store", "no login is locked")
}

// keyringAnswers asks for something that is not there.
func keyringAnswers(ctx context.Context) Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		_, err := keyring.Get("avsproxy doctor", "nobody")
		answered <- err
	}()
	select {
	case err := <-answered:
		if err == nil || errors.Is(err, keyring.ErrNotFound) {
			return ok("keyring", "it answers")
		}
		return fail("keyring", "the system's keyring cannot be used: "+err.Error(), "unlock it or start it, or set kind = \"file\" in [store]")
	case <-ctx.Done():
		return fail("keyring", "the system's keyring does not answer", "unlock it, or set kind = \"file\" in [store]")
	}
}
