package tunnel

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestC11_AddressesThatAreNeverDialed(t *testing.T) {
	dialer := &Dialer{Loopback: true}
	for text, want := range map[string]bool{
		"169.254.169.254": false, "169.254.0.1": false, "169.254.170.2": false, "fe80::1": false, "fe80::1%lo": false, "febf::1": false,
		"fd00:ec2::254": false, "fd00:ec2::23": false, "fd20:ce::254": false, "100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false, "224.0.0.1": false, "255.255.255.255": false, "ff02::1": false, "ff0e::1": false,
		"::ffff:169.254.169.254": false, "::ffff:0.0.0.0": false, "::ffff:224.0.0.1": false, "::ffff:100.100.100.200": false,
		"64:ff9b::169.254.169.254": false, "64:ff9b::100.100.100.200": false, "64:ff9b:1::169.254.169.254": false, "64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false,
		"2002:a9fe:a9fe::1": false, "2002:7f00:1::": false, "::169.254.169.254": false, "::127.0.0.1": false,
		"127.0.0.1": true, "::1": true, "::ffff:127.0.0.1": true, "10.0.0.1": true, "192.168.1.1": true, "172.16.0.1": true, "fd12:3456::1": true,
		"100.64.0.1": true, "1.1.1.1": true, "2606:4700::1111": true, "64:ff9b::1.1.1.1": true, "2002:101:101::1": true,
	} {
		err := dialer.check(plain(netip.AddrPortFrom(netip.MustParseAddr(text), 443)))
		if (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	remote := &Dialer{}
	for text, want := range map[string]bool{"127.0.0.1": false, "127.9.9.9": false, "::1": false, "::ffff:127.0.0.1": false, "10.0.0.1": true} {
		if err := remote.check(plain(netip.AddrPortFrom(netip.MustParseAddr(text), 443))); (err == nil) != want {
			t.Errorf("clients from elsewhere, %s: %v", text, err)
		}
	}
}

// The name is judged by what it resolves to, when it is dialed.
func TestC08_OwnListenersAreNotDialed(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		own, err := net.Listen("tcp", listen)
		if err != nil {
			t.Skip(err)
		}
		defer own.Close()
		dialer := &Dialer{Own: func() []net.Addr { return []net.Addr{&net.UnixAddr{}, own.Addr()} }, Loopback: true}
		_, port, _ := net.SplitHostPort(own.Addr().String())
		for _, host := range append(thisMachine(t, listen), "127.0.0.1", "localhost") {
			conn, err := dialer.Dial(context.Background(), "tcp4", net.JoinHostPort(host, port))
			if err == nil {
				conn.Close()
			}
			if !errors.As(err, new(*Forbidden)) {
				t.Errorf("%s, dialed as %s: %v", listen, host, err)
			}
		}
	}
	other := testkit.Listen(t)
	conn := testkit.Must((&Dialer{Loopback: true}).Dial(context.Background(), "tcp", other.Addr().String()))(t)
	conn.Close()
}

// thisMachine lists the IPv4 addresses that a listener on a wildcard takes.
func thisMachine(t *testing.T, listen string) (hosts []string) {
	t.Helper()
	if listen == "127.0.0.1:0" {
		return nil
	}
	addrs := testkit.Must(net.InterfaceAddrs())(t)
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() && !prefix.Addr().IsLinkLocalUnicast() {
			hosts = append(hosts, prefix.Addr().String())
		}
	}
	return append(hosts, "127.0.0.9")
}
