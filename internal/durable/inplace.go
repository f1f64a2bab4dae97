package durable

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// Full reports whether err says that the disk, or the user's share of it, is full.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota)
}

// ReplaceInPlace gives path the content data where the disk has no room for one
// more file: data is written over spare, a file in the same folder whose content
// nobody needs, and the two then change places. Both keep the room that they have.
// Where the system cannot exchange two files, spare takes the place of path and is
// gone. A crash leaves path with its old content or the new one. Data that is longer
// than spare is refused, before anything is written. Both files get mode 0600.
func ReplaceInPlace(path, spare string, data []byte) error {
	if err := overwrite(spare, data); err != nil {
		return err
	}
	err := exchange(spare, path)
	if err != nil {
		err = os.Rename(spare, path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// overwrite writes over what is there, which must have room for all of data, and makes
// the file private before.
func overwrite(path string, data []byte) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &os.PathError{Op: "overwrite", Path: path, Err: errors.ErrUnsupported}
	case info.Size() < int64(len(data)):
		return &os.PathError{Op: "overwrite", Path: path, Err: syscall.ENOSPC}
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = f.Chmod(0o600); err == nil {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
