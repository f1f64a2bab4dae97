//go:build !go1.27

package wire

// servesAnyTLS is false: net/http's server wants a *tls.Conn. Streams over TLS have no
// numbers then, and are reset with INTERNAL_ERROR.
const servesAnyTLS = false
