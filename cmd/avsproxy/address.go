package main

import (
	"net"
	"slices"
	"strings"

	"avsproxy/internal/config"
)

// own are the addresses that no client is to reach through the proxy: at this
// moment, since those of a login's callback come and go.
func (s *server) own() []net.Addr {
	var own []net.Addr
	for _, ln := range slices.Concat(s.proxyDoors, s.consoleDoors) {
		own = append(own, ln.Addr())
	}
	if s.desk != nil {
		own = append(own, s.desk.addrs()...)
	}
	return own
}

func (s *server) loginURL(name string) string { return loginURL(s.conf, name) }

// loginURL is the page on which a person logs in to a credential; "" is the first.
func loginURL(conf *config.Config, name string) string {
	page := "http://localhost:" + portOf(conf.Console.Listen) + "/login"
	if name == "" || name == conf.Routes[0].Credential {
		return page
	}
	return withCredential(page, name)
}

// addresses are what clients can be pointed at.
func addresses(lns []net.Listener) []string {
	var list []string
	for _, ln := range lns {
		if ln.Addr().Network() == "unix" {
			list = append(list, "unix:"+ln.Addr().String())
		} else {
			list = append(list, "http://"+ln.Addr().String())
		}
	}
	return list
}

// localhostURL is the friendlier form of a loopback address.
func localhostURL(address string) string {
	for _, ip := range []string{"127.0.0.1", "[::1]", "0.0.0.0", "[::]"} {
		address = strings.Replace(address, "http://"+ip+":", "http://localhost:", 1)
	}
	return address
}
