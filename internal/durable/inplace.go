package durable

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// Full reports whether err means that the disk, or the user's quota, is full.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, errQuota)
}

// ReplaceInPlace writes data to path on a full disk: it overwrites spare, an unneeded
// file in the same folder, and then exchanges the two, so both keep their space. Where
// the system cannot exchange two files, spare is renamed to path. A crash leaves path
// with its old content or the new one. Data that is longer than spare may not fit.
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

// overwrite writes before it truncates, so that it never frees the space of the file.
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
