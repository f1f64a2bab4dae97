// Package listen opens the local ports, and lets one port have several protocols: TCP of both loopback families or a
// unix socket, and on each TLS or clear text, by the first byte.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// Open listens on one address of the configuration:
//   - "localhost:PORT": 127.0.0.1 and ::1 on the same port; port 0 finds one that is free in both families. A family
//     that the machine does not have is left out, with a warning.
//   - "HOST:PORT": that address alone; an empty host means all addresses, a name its first address.
//   - "unix:/PATH": a socket of mode 0600. Missing folders are created with mode 0700; a folder that is open to other
//     users is not changed, with a warning. The socket of a program that ended is replaced. Closing the listener
//     removes the socket.
//
// An address that another program uses gives an [*InUse]. After an error nothing stays open. ctx limits the opening,
// not the life of the listeners.
func Open(ctx context.Context, addr string) (lns []net.Listener, warnings []string, err error) {
	return opener{listen: new(net.ListenConfig).Listen}.open(ctx, addr)
}

// opener has what tests replace.
type opener struct {
	listen func(ctx context.Context, network, addr string) (net.Listener, error)
}

func (o opener) open(ctx context.Context, addr string) ([]net.Listener, []string, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		ln, warnings, err := openUnix(ctx, path)
		return only(ln, warnings, err)
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	if strings.EqualFold(host, "localhost") {
		return o.localhost(ctx, port)
	}
	network := "tcp"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		network = "tcp4" // "tcp" would open 0.0.0.0 for IPv6 too
	}
	ln, err := o.tcp(ctx, network, host, port)
	return only(ln, nil, err)
}

func only(ln net.Listener, warnings []string, err error) ([]net.Listener, []string, error) {
	if err != nil {
		return nil, nil, err
	}
	return []net.Listener{ln}, warnings, nil
}

// localhost opens both families. With port 0 the first family chooses the port; if the second cannot have it, it tries
// again, so often that only a machine without free ports fails.
func (o opener) localhost(ctx context.Context, port int) ([]net.Listener, []string, error) {
	for tries := 32; ; tries-- {
		lns, warnings, err := o.families(ctx, port)
		var inUse *InUse
		if port == 0 && tries > 1 && ctx.Err() == nil && errors.As(err, &inUse) {
			continue
		}
		return lns, warnings, err
	}
}

func (o opener) families(ctx context.Context, port int) (lns []net.Listener, warnings []string, err error) {
	var absent []error
	for _, family := range []struct{ network, host string }{{"tcp4", "127.0.0.1"}, {"tcp6", "::1"}} {
		ln, err := o.tcp(ctx, family.network, family.host, port)
		switch {
		case lacksFamily(err):
			absent = append(absent, err)
			warnings = append(warnings, fmt.Sprintf("this machine has no %s, going on without it (%v)", family.host, err))
		case err != nil:
			closeAll(lns)
			return nil, nil, err
		default:
			port = ln.Addr().(*net.TCPAddr).Port
			lns = append(lns, ln)
		}
	}
	if len(lns) == 0 {
		return nil, nil, fmt.Errorf("this machine has no loopback address: %w", errors.Join(absent...))
	}
	return lns, warnings, nil
}

func (o opener) tcp(ctx context.Context, network, host string, port int) (net.Listener, error) {
	ln, err := o.listen(ctx, network, net.JoinHostPort(host, strconv.Itoa(port)))
	if taken(err) {
		return nil, tcpInUse(err)
	}
	return ln, err
}

// lacksFamily reports whether the loopback does not have an address family. Linux returns EAFNOSUPPORT when booted with
// ipv6.disable=1 (no such socket), and EADDRNOTAVAIL when IPv6 is off by sysctl or in a network namespace (no ::1).
// Windows has its own numbers for both.
func lacksFamily(err error) bool {
	const wsaEAFNOSUPPORT, wsaEADDRNOTAVAIL = syscall.Errno(10047), syscall.Errno(10049)
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, wsaEAFNOSUPPORT) || errors.Is(err, wsaEADDRNOTAVAIL)
}

func closeAll(lns []net.Listener) {
	for _, ln := range lns {
		ln.Close()
	}
}
