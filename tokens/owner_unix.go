//go:build unix

package tokens

import (
	"io/fs"
	"syscall"
)

func owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

func sharedMode(mode fs.FileMode) bool { return mode&0o077 != 0 }
