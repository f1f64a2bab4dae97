package tokens

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/durable"
)

// Clear removes the logins of which ours says, by the content of their files, that
// they may go, with all that was made for them. Whatever else is in the folder
// stays. A folder that is not there has nothing to remove.
func (f FileStore) Clear(ours func(content []byte) bool) error {
	entries, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(f.Dir, "cannot be looked through: "+reason(err), "move it away, or check its owner and mode")
	}
	names := map[string]bool{} // whether all that is there of a login may go
	for _, entry := range entries {
		if name, rest := loginOf(entry.Name()); name != "" && rest == "" {
			mayGo, known := names[name]
			names[name] = (mayGo || !known) && ours(glance(filepath.Join(f.Dir, entry.Name())))
		}
	}
	for name, mayGo := range names {
		if !mayGo {
			continue
		}
		if err := f.Delete(name); err != nil {
			return err
		}
		_ = os.Remove(filepath.Join(f.Dir, name+".lock")) // it holds nothing
	}
	return nil
}

// loginOf returns whose login a file is, the present generation or the one before, and
// what its name has behind that; an empty name = nobody's.
func loginOf(file string) (name, rest string) {
	for _, kind := range []string{".grant.json", ".previous.json"} {
		if name, rest, ok := strings.Cut(file, kind); ok {
			return name, rest
		}
	}
	return "", ""
}

// glance returns what is in a file, nothing where it is none of ours.
func glance(path string) []byte {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() { // not a link either
		return nil
	}
	text, _ := durable.ReadFile(path, grantMaxBytes)
	return text
}

// Tidy removes what killed processes left half written. It leaves alone what may be
// the successor of a marked grant (see [FileStore.Load]), and logins that another
// process works on just now.
func (f FileStore) Tidy() {
	for _, name := range f.halfWritten() {
		ctx, cancel := context.WithTimeout(context.Background(), tidyLockTimeout)
		unlock, err := f.Lock(ctx, name)
		cancel()
		if err != nil {
			continue
		}
		grant, _, err := f.read(name, f.Path(name))
		if err == nil && grant.PendingSince.IsZero() || errors.Is(err, ErrNoGrant) {
			for _, left := range f.halves(name) {
				_ = os.Remove(left)
			}
		}
		unlock()
	}
}

// tidyLockTimeout is more than taking a free lock needs.
const tidyLockTimeout = 100 * time.Millisecond

// halfWritten are the names of logins that have temporary files.
func (f FileStore) halfWritten() (names []string) {
	entries, _ := os.ReadDir(f.Dir)
	for _, entry := range entries {
		file, hidden := strings.CutPrefix(entry.Name(), ".")
		name, rest := loginOf(file)
		if hidden && name != "" && strings.HasPrefix(rest, ".") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
