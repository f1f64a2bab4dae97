package cli

import "golang.org/x/sys/unix"

// forbidDumps also holds where cores go to a program, which heeds no limit (core(5)),
// and keeps this process's memory from other processes of the user (ptrace(2)).
func forbidDumps() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

const getTermios, setTermios = unix.TCGETS, unix.TCSETS
