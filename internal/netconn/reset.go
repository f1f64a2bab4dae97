package netconn

import "net"

// Reset closes a connection with RST instead of FIN, where it is TCP below, and without TLS's
// goodbye, which would make whole what it ends.
func Reset(conn net.Conn) {
	defer conn.Close()
	below := conn
	for {
		wrapper, wraps := below.(interface{ NetConn() net.Conn })
		if !wraps {
			break
		}
		below = wrapper.NetConn()
	}
	if tcp, ok := below.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // what cannot linger is closed all the same
	}
	below.Close()
}
