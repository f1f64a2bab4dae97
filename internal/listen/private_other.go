//go:build !linux

package listen

import "syscall"

// private: only Linux lets a socket have a mode before it has a name.
func private(syscall.RawConn) error { return nil }
