package exchange

import "avsproxy/internal/peer"

// A Conn is what is known of a client's connection. It is the same for all requests
// on it.
type Conn struct {
	Peer     peer.Peer
	Listener Listener
	TLSName  string // the name in the TLS handshake; empty = none
	// Tunnel is the target of the CONNECT that the connection runs inside; nil = it
	// does not. The CONNECT was admitted, so its client need not show its key again.
	Tunnel *Authority
}
