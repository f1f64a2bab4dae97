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
// than spare may find no room.
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

// overwrite writes over what is there before it cuts the rest off, so that the room
// is never given back in between.
func overwrite(path string, data []byte) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "overwrite", Path: path, Err: errors.ErrUnsupported}
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
