package testkit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// SmallDisk returns the folder of a file system of its own, with 256 KiB, and a
// function that fills it up to the last byte. It takes root: a test that may not
// mount is skipped where CI is not set.
func SmallDisk(t testing.TB) (folder string, fill func()) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		missing(t, "a small file system cannot be mounted: "+err.Error(), "run as root in a container that may mount")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder, func() { fillUp(t, filepath.Join(folder, "log")) }
}

// fillUp takes what room there is, as a log would that nobody bounds.
func fillUp(t testing.TB, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 64 << 10; size > 0; {
		if _, err := file.Write(bytes.Repeat([]byte{'x'}, size)); err != nil {
			size /= 2
		}
	}
	if _, err := file.Write([]byte{'x'}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal("the disk is not full:", err)
	}
}
