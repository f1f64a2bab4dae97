package durable

import (
	"fmt"
	"io/fs"
	"os"
)

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
