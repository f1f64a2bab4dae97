package tunnel

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// DialTimeout bounds connecting to a host, the look-up of its name included.
const DialTimeout = 10 * time.Second

// A Dialer connects to the hosts that clients name, but to none that they could not,
// or should not, reach by themselves: never to the proxy's own listeners, and never
// to addresses that mean something to one machine or link alone, such as those
// where clouds hand out credentials. Private networks are open: whoever may use a
// local proxy is in them too.
type Dialer struct {
	// Own returns the listeners that this program has at the moment; nil = it has none.
	Own func() []net.Addr
	// Loopback opens this machine's loopback, which is right where all clients come
	// from it, as the user that this program runs as.
	Loopback bool
}

// A Forbidden is the error for an address that is not dialed.
type Forbidden struct {
	Addr netip.Addr
	Why  string // completes "the address ADDR "
}

// Error says which address it was, and why.
func (e *Forbidden) Error() string { return fmt.Sprintf("the address %s %s", e.Addr, e.Why) }

// Dial connects to "host:port". Every address that the host's name stands for is
// judged when it is dialed, so that no second look-up can tell another.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: DialTimeout, ControlContext: d.control}
	return dialer.DialContext(ctx, network, addr)
}

func (d *Dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dialing %q: %w", address, err)
	}
	return d.check(target)
}

// NotOwn is a [net.Dialer.ControlContext] that refuses our own listeners alone. It is
// for addresses that the configuration names: one of ours among them would make of
// one request as many as there is room for.
func (d *Dialer) NotOwn(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if addr := target.Addr().WithZone("").Unmap(); err == nil && d.isOwn(netip.AddrPortFrom(addr, target.Port())) {
		return ownAddress(addr, target.Port())
	}
	return nil
}

func ownAddress(addr netip.Addr, port uint16) error {
	return &Forbidden{addr, "with port " + strconv.Itoa(int(port)) + " is this proxy itself"}
}

// check returns a *[Forbidden] for what is not dialed.
func (d *Dialer) check(target netip.AddrPort) error {
	addr := target.Addr().WithZone("").Unmap()
	for _, a := range append(embedded(addr), addr) {
		if why := special(a); why != "" {
			return &Forbidden{addr, why}
		}
	}
	if hidden := embedded(addr); len(hidden) > 0 && (hidden[0].IsLoopback() || hidden[0].IsPrivate()) {
		return &Forbidden{addr, "hides one that is not public"} // RFC 6052 section 3.1
	}
	if d.isOwn(netip.AddrPortFrom(addr, target.Port())) {
		return ownAddress(addr, target.Port())
	}
	if addr.IsLoopback() && !d.Loopback {
		return &Forbidden{addr, "is this machine's loopback, and clients come from elsewhere or as other users too"}
	}
	return nil
}

// metadata are the addresses outside of the link-local ranges at which clouds tell
// machines about themselves, credentials included: AWS, Google, Alibaba, Azure and
// Oracle.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::/32"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32"),
}

// thisNetwork is RFC 1122 section 3.2.1.3's: a source, never a destination.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// special says why an address is never dialed; "" = it may be.
func special(addr netip.Addr) string {
	switch {
	case addr.IsUnspecified() || thisNetwork.Contains(addr):
		return "is no destination"
	case addr.IsLinkLocalUnicast():
		return "is link-local, where clouds hand out credentials"
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "is not one machine's"
	}
	for _, prefix := range metadata {
		if prefix.Contains(addr) {
			return "is where a cloud hands out credentials"
		}
	}
	return ""
}

// carriers are the IPv6 prefixes whose addresses stand for IPv4 ones, and where in
// them those begin: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), IPv4-compatible
// (RFC 4291 section 2.5.5.1).
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2}, {netip.MustParsePrefix("::/96"), 12},
}

// embedded returns the IPv4 address that an IPv6 one stands for, if it does. ::1 is
// itself.
func embedded(addr netip.Addr) []netip.Addr {
	for _, carrier := range carriers {
		if carrier.prefix.Contains(addr) && !addr.IsLoopback() && !addr.IsUnspecified() {
			bytes := addr.As16()
			return []netip.Addr{netip.AddrFrom4([4]byte(bytes[carrier.at : carrier.at+4]))}
		}
	}
	return nil
}

// isOwn reports whether somebody of this program listens there.
func (d *Dialer) isOwn(target netip.AddrPort) bool {
	if d.Own == nil {
		return false
	}
	for _, own := range d.Own() {
		tcp, ok := own.(*net.TCPAddr)
		if !ok || tcp.Port != int(target.Port()) {
			continue
		}
		listens := tcp.AddrPort().Addr().WithZone("").Unmap()
		if listens == target.Addr() || (listens.IsUnspecified() && isThisMachine(target.Addr())) {
			return true
		}
	}
	return false
}

// isThisMachine reports whether the address is one of this machine's. Where the
// system does not tell, all are.
func isThisMachine(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().WithZone("").Unmap() == addr {
			return true
		}
	}
	return err != nil
}
