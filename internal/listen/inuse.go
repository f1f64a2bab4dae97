package listen

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"unicode"
)

// InUse is the error for an address that a program listens on already.
type InUse struct {
	Addr    string // "127.0.0.1:9744", "[::1]:9744" or "unix:/path"
	PID     int    // the process that holds it; 0 when the system does not tell
	Program string // its name as the system keeps it (Linux: at most 15 bytes); may be empty
	Err     error  // what the system answered; may be nil
}

func (e *InUse) Error() string {
	switch {
	case e.PID == 0:
		return e.Addr + " is in use by another program"
	case e.Program == "":
		return fmt.Sprintf("%s is in use by pid %d", e.Addr, e.PID)
	}
	return fmt.Sprintf("%s is in use by %s (pid %d)", e.Addr, e.Program, e.PID)
}

// Unwrap returns Err, so that errors.Is(err, syscall.EADDRINUSE) holds where the system said so.
func (e *InUse) Unwrap() error { return e.Err }

func taken(err error) bool {
	const wsaEADDRINUSE = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaEADDRINUSE)
}

// tcpInUse completes what net.Listen said about an address that is taken.
func tcpInUse(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	addr, ok := op.Addr.(*net.TCPAddr)
	if !ok {
		return err
	}
	pid, program := tcpHolder(addr)
	return &InUse{Addr: addr.String(), PID: pid, Program: printable(program), Err: err}
}

// printable keeps a program from drawing on the terminal by its name.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
}
