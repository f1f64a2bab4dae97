package tunnel

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
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
	return d.check(plain(target))
}

// NotOwn is a [net.Dialer.ControlContext] that refuses only our own listeners. It is
// for addresses of the configuration: a proxy that dials itself makes an endless loop.
func (d *Dialer) NotOwn(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil
	}
	return d.checkOwn(plain(target))
}

// plain removes the zone, and the IPv6 form of IPv4.
func plain(target netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(target.Addr().WithZone("").Unmap(), target.Port())
}

// check returns a [*Forbidden] for an address that is not dialed.
func (d *Dialer) check(target netip.AddrPort) error {
	addr := target.Addr()
	inner := embedded(addr)
	for _, a := range append(inner, addr) {
		if why := special(a); why != "" {
			return &Forbidden{addr, why}
		}
	}
	if len(inner) > 0 && (inner[0].IsLoopback() || inner[0].IsPrivate()) {
		return &Forbidden{addr, "hides one that is not public"} // RFC 6052 section 3.1
	}
	if err := d.checkOwn(target); err != nil {
		return err
	}
	if addr.IsLoopback() && !d.Loopback {
		return &Forbidden{addr, "is this machine's loopback, and clients come from elsewhere or as other users too"}
	}
	return nil
}

// specials are the addresses that are never dialed, and why. The last ones are the
// metadata services of AWS, Google, Alibaba, Azure and Oracle that are not link-local.
var specials = []struct{ why, prefixes string }{
	{"is no destination", "0.0.0.0/8 ::/128"}, // RFC 1122 section 3.2.1.3
	{"is link-local, where clouds hand out credentials", "169.254.0.0/16 fe80::/10"},
	{"is not one machine's", "224.0.0.0/4 ff00::/8 255.255.255.255/32"},
	{"is where a cloud hands out credentials", "fd00:ec2::/32 fd20:ce::/32 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32"},
}

// special is why an address is never dialed; "" = it may be.
func special(addr netip.Addr) string {
	for _, s := range specials {
		for prefix := range strings.FieldsSeq(s.prefixes) {
			if netip.MustParsePrefix(prefix).Contains(addr) {
				return s.why
			}
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

// checkOwn refuses the addresses that this program listens on.
func (d *Dialer) checkOwn(target netip.AddrPort) error {
	if d.Own == nil {
		return nil
	}
	addr, port := target.Addr(), target.Port()
	for _, own := range d.Own() {
		tcp, ok := own.(*net.TCPAddr)
		if !ok || tcp.Port != int(port) {
			continue
		}
		listens := plain(tcp.AddrPort()).Addr()
		if listens == addr || listens.IsUnspecified() && isThisMachine(addr) {
			return &Forbidden{addr, fmt.Sprintf("with port %d is this proxy itself", port)}
		}
	}
	return nil
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
