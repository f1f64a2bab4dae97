//go:build !go1.27

package httpserver

// servesAnyTLS is false: net/http's server wants a *tls.Conn, whose requests cannot be
// followed.
const servesAnyTLS = false
