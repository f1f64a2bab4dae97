package netconn

import (
	"errors"
	"net"
)

// ErrFull is what a [WriteNow] returns where there was no room for all.
var ErrFull = errors.New("netconn: the connection has no room for all of it")

// A WriteNow writes what there is room for, and does not wait. It returns how many bytes it took,
// and [ErrFull] where the rest is to be given to Write of its connection, even if that is none:
// what it took may be on its way still.
type WriteNow func(p []byte) (n int, err error)

// WriteNowOf returns that of a connection: of its method of that name, or of its socket. Nil = it
// has none.
func WriteNowOf(conn net.Conn) WriteNow {
	if own, ok := conn.(interface{ WriteNow() WriteNow }); ok {
		return own.WriteNow()
	}
	return ofSocket(conn)
}
