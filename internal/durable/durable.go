// Package durable writes small files so that a crash, a kill or a full disk leaves either the old content or the new,
// never a mixture and never nothing.
package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// WriteFile makes path a regular file with exactly these bytes and permission bits (perm is not reduced by the umask).
// When it returns nil, content and name have reached the disk.
//
// The bytes go to a temporary file in the same folder (".NAME.*.tmp", 0600 until complete), which is then renamed to
// path; a symbolic link at path is replaced, not followed. A file with this content and mode is not rewritten. After an
// error path has the old content, except when only the last step, the fsync of the folder, failed: then path has the
// new content, which a power cut may undo. A temporary file is left only if the process is killed.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	pending, err := Prepare(path, data, perm)
	if err != nil {
		return err
	}
	return pending.Commit()
}

// A Pending file is complete and synced, but does not have its name yet.
type Pending struct {
	path, temp string // temp is empty if path needs no change
}

// Prepare does the first half of [WriteFile]: all that needs space on the disk.
func Prepare(path string, data []byte, perm fs.FileMode) (Pending, error) {
	if holds(path, data, perm.Perm()) {
		return Pending{path: path}, nil
	}
	temp, err := writeTemp(path, data, perm.Perm())
	return Pending{path, temp}, err
}

// Commit renames the file to its path.
func (p Pending) Commit() error { return p.commit(os.Rename) }

func (p Pending) commit(rename func(from, to string) error) error {
	if p.temp != "" {
		if err := rename(p.temp, p.path); err != nil {
			return errors.Join(err, os.Remove(p.temp))
		}
	}
	// Also if nothing changed: an earlier call may have failed at this step.
	return syncFolder(filepath.Dir(p.path))
}

// holds reports whether path is already the file that WriteFile would make.
func holds(path string, data []byte, perm fs.FileMode) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false
	}
	// Windows has only a read-only flag of the mode.
	if runtime.GOOS != "windows" && info.Mode().Perm() != perm {
		return false
	}
	old, err := ReadFile(path, int64(len(data)))
	return err == nil && bytes.Equal(old, data)
}

// writeTemp returns the name of a complete and synced file in the folder of path.
func writeTemp(path string, data []byte, perm fs.FileMode) (string, error) {
	// CreateTemp opens with O_EXCL and 0600: it follows no link, and other users cannot read the file.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// Leftovers lists the temporary files for path: of killed processes, and of those that
// write now.
func Leftovers(path string) (files []string) {
	folder, name := filepath.Split(path)
	entries, _ := os.ReadDir(filepath.Clean(folder)) // a folder that we cannot read has no file of ours
	for _, entry := range entries {
		if entry.Type().IsRegular() && isTemp(entry.Name(), name) {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files
}

// isTemp matches names of [os.CreateTemp]: it replaces the star by digits.
func isTemp(file, name string) bool {
	digits, ok := strings.CutPrefix(file, "."+name+".")
	digits, isTemp := strings.CutSuffix(digits, ".tmp")
	return ok && isTemp && digits != "" && strings.Trim(digits, "0123456789") == ""
}
