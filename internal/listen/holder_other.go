//go:build !linux

package listen

import "net"

func tcpHolder(*net.TCPAddr) (pid int, program string) { return 0, "" }

func unixHolder(*net.UnixConn) (pid int, program string) { return 0, "" }
