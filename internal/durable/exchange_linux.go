package durable

import "golang.org/x/sys/unix"

const errQuota = unix.EDQUOT

// exchange swaps the names of two files in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
