//go:build go1.27

package httpserver

// servesAnyTLS is whether net/http's server takes whatever has TLS's methods for a
// connection over TLS. Before Go 1.27 it wants a *tls.Conn.
const servesAnyTLS = true
