package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// MkdirPrivate makes sure that the folder path exists. It creates folders with mode 0700 (XDG base directory
// specification) and durably. It does not change a folder that exists, which may be /tmp or a home. The error is an
// [*fs.PathError].
func MkdirPrivate(path string) error {
	if err := isFolder(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := MkdirPrivate(parent); err != nil {
		return err
	}
	switch err := os.Mkdir(path, 0o700); {
	case errors.Is(err, fs.ErrExist): // another process made it, or it is a dangling link
		return isFolder(path)
	case err != nil:
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil { // the umask may have taken bits away
		return err
	}
	return syncFolder(parent)
}

// CheckFolder refuses a folder in which every user can replace our files: others can
// write to it, and it has no sticky bit. It accepts a folder that does not exist.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // its first use reports it
	}
	mode := info.Mode()
	if _, hasOwner := Owner(info); hasOwner && mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("every user of this machine can replace what is in the folder %s (mode %#o)", path, mode.Perm())
	}
	return nil
}

func isFolder(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return err
}

// syncFolder makes the names in a folder durable. Windows has no such call. File systems that cannot do it return
// EINVAL or "not supported"; that is not an error here.
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
