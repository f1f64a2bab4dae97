package listen

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"avsproxy/internal/charset"
)

// InUse is the error for an address that another program listens on.
type InUse struct {
	Addr    string // "127.0.0.1:9744", "[::1]:9744" or "unix:/path"
	PID     int    // of the process that listens; 0 if unknown
	Program string // its name in the system (Linux: at most 15 bytes); may be empty
	Err     error  // the system's error; may be nil
}

// Error says which program uses the address, as far as known.
func (e *InUse) Error() string {
	switch {
	case e.PID == 0:
		return e.Addr + " is in use by another program"
	case e.Program == "":
		return fmt.Sprintf("%s is in use by pid %d", e.Addr, e.PID)
	}
	return fmt.Sprintf("%s is in use by %s (pid %d)", e.Addr, charset.Printable(e.Program, 0), e.PID)
}

// Unwrap returns Err, such as syscall.EADDRINUSE.
func (e *InUse) Unwrap() error { return e.Err }

func taken(err error) bool {
	const wsaEADDRINUSE = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaEADDRINUSE)
}

// tcpInUse adds the process to an error of net.Listen.
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
	return &InUse{Addr: addr.String(), PID: pid, Program: program, Err: err}
}
