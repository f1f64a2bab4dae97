package tokens

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
		if name, ok := loginOf(entry.Name()); ok {
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

// loginOf returns whose login a file is, the present generation or the one before.
func loginOf(file string) (name string, ok bool) {
	for _, ending := range []string{".grant.json", ".previous.json"} {
		if name, ok = strings.CutSuffix(file, ending); ok && name != "" {
			return name, true
		}
	}
	return "", false
}

// glance returns what is in a file, nothing where it is none of ours.
func glance(path string) []byte {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > grantMaxBytes {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, grantMaxBytes))
	return text
}
