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

// Clear removes the logins whose files all satisfy ours, with everything that was made
// for them. Other files stay. A folder that does not exist is no error.
func (f FileStore) Clear(ours func(content []byte) bool) error {
	entries, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(f.Dir, "cannot be looked through: "+reason(err), "move it away, or check its owner and mode")
	}
	names := map[string]bool{} // whether all files of a login may go
	for _, entry := range entries {
		if name, rest := loginOf(entry.Name()); name != "" && rest == "" {
			mayGo, known := names[name]
			names[name] = (mayGo || !known) && ours(readRegular(filepath.Join(f.Dir, entry.Name())))
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

// readRegular returns the content of a regular file, and nothing for anything else.
func readRegular(path string) []byte {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() { // not a link either
		return nil
	}
	text, _ := durable.ReadFile(path, grantMaxBytes)
	return text
}

// Tidy removes the temporary files of killed processes. It keeps those that may hold the
// successor of a marked grant (see [FileStore.Load]), and skips logins that another
// process has locked.
func (f FileStore) Tidy() {
	for _, name := range f.unfinishedLogins() {
		ctx, cancel := context.WithTimeout(context.Background(), tidyLockTimeout)
		unlock, err := f.Lock(ctx, name)
		cancel()
		if err != nil {
			continue
		}
		grant, _, err := f.read(name, f.Path(name))
		if err == nil && grant.PendingSince.IsZero() || errors.Is(err, ErrNoGrant) {
			for _, left := range f.temporaryFiles(name) {
				_ = os.Remove(left)
			}
		}
		unlock()
	}
}

// tidyLockTimeout is longer than taking a free lock needs.
const tidyLockTimeout = 100 * time.Millisecond

// unfinishedLogins returns the names of logins that have temporary files.
func (f FileStore) unfinishedLogins() (names []string) {
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
