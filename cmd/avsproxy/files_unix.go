//go:build unix

package main

import "syscall"

// openFiles is how many files this process may have open.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > 2*connectionsMost {
		return 2 * connectionsMost
	}
	return int(limit.Cur)
}
