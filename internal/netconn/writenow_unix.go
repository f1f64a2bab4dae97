//go:build unix

package netconn

import (
	"io"
	"net"
	"os"
	"syscall"
)

// ofSocket is the [WriteNow] of a connection that is a socket, or keeps its SyscallConn.
func ofSocket(conn net.Conn) WriteNow {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	w := &socketWriter{raw: raw}
	w.call = w.write
	return w.writeNow
}

// A socketWriter is for one goroutine at a time.
type socketWriter struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // write; made once
	p    []byte
	n    int
	err  error
}

func (w *socketWriter) writeNow(p []byte) (n int, err error) {
	w.p = p
	err = w.raw.Write(w.call)
	w.p = nil
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

func (w *socketWriter) write(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN, err == nil && 0 < n && n < len(w.p):
			err = ErrFull
		case err == nil && n < len(w.p):
			err = io.ErrUnexpectedEOF
		case err != nil:
			err = os.NewSyscallError("write", err)
		}
		w.n, w.err = max(n, 0), err
		return true
	}
}
