//go:build unix

package durable

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
)

// Not parallel: the umask belongs to the whole process.
func TestModesAreExactUnderAnyUmask(t *testing.T) {
	for _, umask := range []int{0, 0o777} {
		folder := filepath.Join(t.TempDir(), "state")
		old := syscall.Umask(umask)
		err := MkdirPrivate(folder)
		for _, perm := range []fs.FileMode{0o600, 0o644} {
			path := filepath.Join(folder, perm.String())
			if err == nil {
				err = WriteFile(path, []byte("x"), perm)
			}
		}
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %o: %v", umask, err)
		}
		wantMode(t, folder, 0o700)
		wantMode(t, filepath.Join(folder, "-rw-------"), 0o600)
		wantMode(t, filepath.Join(folder, "-rw-r--r--"), 0o644)
	}
}
