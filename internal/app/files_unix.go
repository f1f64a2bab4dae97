//go:build unix

package app

import "syscall"

// OpenFiles is how many files this process may have open.
func OpenFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > 2*maxConnections {
		return 2 * maxConnections
	}
	return int(limit.Cur)
}
