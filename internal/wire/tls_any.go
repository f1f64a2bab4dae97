//go:build go1.27

package wire

// servesAnyTLS is whether net/http's server does the handshake on whatever has the
// methods for it. Before Go 1.27 it wants a *tls.Conn.
const servesAnyTLS = true
