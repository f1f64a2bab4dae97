package durable

import (
	"fmt"
	"io/fs"
	"os"
)

// CheckFolder refuses a folder in which every user may put a file of theirs in the
// place of ours: one that others may write, without the sticky bit. A folder that is
// not there passes.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // whoever uses it will say so
	}
	mode := info.Mode()
	if _, hasOwner := Owner(info); hasOwner && mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("every user of this machine can replace what is in the folder %s (mode %#o)", path, mode.Perm())
	}
	return nil
}
