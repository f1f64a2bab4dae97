// Package durable writes small files so that a crash, a kill or a full disk leaves either the old content or the new,
// never a mixture and never nothing.
package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// WriteFile makes path a regular file with exactly these bytes and permission bits (perm is not reduced by the umask).
// When it returns nil, content and name have reached the disk.
//
// The bytes go to a temporary file in the same folder (".NAME.*.tmp", 0600 until complete), which then takes the
// place of path; a symbolic link at path is replaced, not followed. A file that already is as asked is not rewritten.
// On an error path still holds the old content, except when only the last step, the fsync of the folder, failed: then
// path holds the new content, which may not outlive a power cut. No temporary file is left unless the process is killed.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	pending, err := Prepare(path, data, perm)
	if err != nil {
		return err
	}
	return pending.Commit()
}

// A Pending file is complete and synced but not yet in its place.
type Pending struct {
	path, temp string // temp is empty where path already is as asked
}

// Prepare does the first half of [WriteFile]: all that needs room on the disk.
func Prepare(path string, data []byte, perm fs.FileMode) (Pending, error) {
	if holds(path, data, perm.Perm()) {
		return Pending{path: path}, nil
	}
	temp, err := writeTemp(path, data, perm.Perm())
	return Pending{path, temp}, err
}

// Commit puts the file into its place.
func (p Pending) Commit() error { return p.commit(os.Rename) }

func (p Pending) commit(rename func(from, to string) error) error {
	if p.temp != "" {
		if err := rename(p.temp, p.path); err != nil {
			return errors.Join(err, os.Remove(p.temp))
		}
	}
	// Also where nothing changed: an earlier call may have failed at this very step.
	return syncFolder(filepath.Dir(p.path))
}

// holds tells whether path is already the file that WriteFile would leave.
func holds(path string, data []byte, perm fs.FileMode) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false
	}
	// Windows keeps no more than a read-only flag of the mode.
	if runtime.GOOS != "windows" && info.Mode().Perm() != perm {
		return false
	}
	old, err := ReadFile(path, int64(len(data)))
	return err == nil && bytes.Equal(old, data)
}

// writeTemp returns the name of a finished and synced file beside path.
func writeTemp(path string, data []byte, perm fs.FileMode) (string, error) {
	// CreateTemp opens with O_EXCL and 0600: a planted link is not followed and nobody else reads along.
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

// MkdirPrivate makes sure that the folder path exists. Every folder that it has to create is 0700 (as the XDG base
// directory specification asks) and durable. A folder that exists stays as it is, whatever its mode: changing /tmp or
// a home because a path names it would do harm. The error is an [*fs.PathError] from the failing step.
func MkdirPrivate(path string) error {
	if err := isFolder(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := MkdirPrivate(parent); err != nil {
		return err
	}
	switch err := os.Mkdir(path, 0o700); {
	case errors.Is(err, fs.ErrExist): // made by someone else meanwhile, or a dangling link
		return isFolder(path)
	case err != nil:
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil { // the umask may have taken bits away
		return err
	}
	return syncFolder(parent)
}

func isFolder(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return err
}

// syncFolder makes the names in a folder durable. Windows offers no such call, and file systems that
// cannot do it say EINVAL or "not supported": that is all there is to be had from them.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
