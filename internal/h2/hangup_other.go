//go:build !unix

package h2

import "net"

// awaitHangup does not know here.
func awaitHangup(net.Conn) (hungUp, known bool) { return false, false }
