//go:build unix

package durable

import (
	"io/fs"
	"syscall"
)

// Owner returns the user that owns a file, where the system has owners.
func Owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
