//go:build !linux

package listen

import (
	"net"
	"syscall"
)

func tcpHolder(*net.TCPAddr) (pid int, program string) { return 0, "" }

func unixHolder(*net.UnixConn) (pid int, program string) { return 0, "" }

// private: only Linux lets a socket have a mode before it has a name.
func private(syscall.RawConn) error { return nil }
