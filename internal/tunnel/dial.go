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

// DialTimeout limits connecting to a host, with the look-up of its name.
const DialTimeout = 10 * time.Second

// A Dialer connects to the hosts that clients name, except to the proxy's own
// listeners and to addresses of one machine or link, such as those where clouds give
// credentials. Private networks are allowed: who may use a local proxy is in them too.
type Dialer struct {
	// Own returns the present listeners of this program; nil = it has none.
	Own func() []net.Addr
	// Loopback allows this machine's loopback addresses, which is right where all
	// clients are programs of the user that this program runs as.
	Loopback bool
}

// A Forbidden is the error for an address that is not dialed.
type Forbidden struct {
	Addr netip.Addr
	Why  string // completes "the address ADDR "
}

// Error says which address it was, and why.
func (e *Forbidden) Error() string { return fmt.Sprintf("the address %s %s", e.Addr, e.Why) }

// Dial connects to "host:port". It checks each address when it dials it, so that no
// second look-up can give another one.
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

// NotOwn is a [net.Dialer.ControlContext] that refuses only our own listeners. It is
// for addresses of the configuration: a proxy that dials itself makes an endless loop.
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

// check returns a [*Forbidden] for an address that is not dialed.
func (d *Dialer) check(target netip.AddrPort) error {
	addr := target.Addr().WithZone("").Unmap()
	for _, a := range append(embedded(addr), addr) {
		if why := special(a); why != "" {
			return &Forbidden{addr, why}
		}
	}
	if inner := embedded(addr); len(inner) > 0 && (inner[0].IsLoopback() || inner[0].IsPrivate()) {
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

// metadata are the metadata services of clouds outside of the link-local ranges: AWS,
// Google, Alibaba, Azure and Oracle.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::/32"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32"),
}

// thisNetwork is a source, never a destination (RFC 1122 section 3.2.1.3).
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// special is why an address is never dialed; "" = it may be.
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

// carriers are the IPv6 prefixes whose addresses have an IPv4 address inside, and its
// offset: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), IPv4-compatible (RFC 4291
// section 2.5.5.1).
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2}, {netip.MustParsePrefix("::/96"), 12},
}

// embedded returns the IPv4 address inside an IPv6 address, if there is one.
func embedded(addr netip.Addr) []netip.Addr {
	for _, carrier := range carriers {
		if carrier.prefix.Contains(addr) && !addr.IsLoopback() && !addr.IsUnspecified() {
			bytes := addr.As16()
			return []netip.Addr{netip.AddrFrom4([4]byte(bytes[carrier.at : carrier.at+4]))}
		}
	}
	return nil
}

// isOwn reports whether this program listens on the address.
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

// isThisMachine reports whether the address is this machine's. Where the system does
// not tell, all are.
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
