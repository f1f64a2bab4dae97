package exchange

import "avsproxy/internal/peer"

// A Conn is what is known of a client's connection. It is the same for all requests
// on it.
type Conn struct {
	Peer     peer.Peer
	Listener Listener
	Address  string // of the listener, as clients write it ("http://127.0.0.1:9744", "unix:/x"); empty = unknown
	Number   uint64 // among all connections to the listeners; 0 = unknown
	TLS      bool   // the client speaks TLS to us
	TLSName  string // the name in the TLS handshake; empty = none
	// Tunnel is the target of the CONNECT that the connection runs inside; nil = it
	// does not. The CONNECT was admitted, so its client need not show its key again.
	Tunnel *Authority
}
