package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/avs"
	"avsproxy/internal/config"
	"avsproxy/internal/listen"
	"avsproxy/internal/terminal"
)

// A ListenerSet opens listeners and closes them all.
type ListenerSet struct {
	Env *Environment
	lns []net.Listener
}

func (d *ListenerSet) Open(ctx context.Context, addr string) ([]net.Listener, error) {
	lns, warnings, err := listen.Open(ctx, addr)
	for _, warning := range warnings {
		d.Env.UI.Warn(warning, "")
	}
	var inUse *listen.InUse
	if errors.As(err, &inUse) && inUse.PID == os.Getpid() {
		return nil, terminal.Usage(fmt.Errorf("two parts are to listen on %s", inUse.Addr), "give each a port of its own")
	}
	if inUse != nil {
		return nil, terminal.Failed(fmt.Errorf("cannot listen on %s: %w", addr, err), "end the other program, or choose another port")
	}
	if err != nil {
		return nil, terminal.Failed(fmt.Errorf("cannot listen on %s: %s", addr, strings.TrimPrefix(err.Error(), addr+": ")), "")
	}
	d.lns = append(d.lns, lns...)
	return lns, nil
}

func (d *ListenerSet) Close() {
	for _, ln := range d.lns {
		ln.Close()
	}
}

// loginURL is the page on which a person logs in to a credential; "" is the first.
func loginURL(conf *config.Config, consolePort, name string) string {
	page := "http://localhost:" + consolePort + "/login"
	if name == "" || name == conf.Routes[0].Credential {
		return page
	}
	return api.WithCredential(page, name)
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

// configuredPorts are those of routes' own listeners, as far as they are known before these
// are open, with the indexes of the routes.
func configuredPorts(conf *config.Config) map[string]int {
	ports := map[string]int{}
	for i, route := range conf.Routes {
		for _, address := range route.Listen {
			if port := PortOf(address); port != "0" {
				ports[port] = i
			}
		}
	}
	return ports
}

// LocalhostURLs lists addresses as people write them, each once.
func LocalhostURLs(addresses []string) []string {
	var list []string
	for _, address := range addresses {
		if address = api.LocalhostURL(address); !slices.Contains(list, address) {
			list = append(list, address)
		}
	}
	return list
}

func curlTarget(address string) string {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "--unix-socket " + path + " http://localhost"
	}
	return api.LocalhostURL(address)
}

// tryCommand is what to give to curl for a first request.
func tryCommand(s *Server) string {
	return keyOption(s) + curlTarget(addresses(s.proxyListeners)[0]) + tryPath(s.Conf.Routes[0])
}

// keyOption shows where the client key goes; it never prints the key.
func keyOption(s *Server) string {
	if s.Conf.Proxy.ClientKey.IsZero() {
		return ""
	}
	return "-H 'Avsproxy-Key: KEY' "
}

// tryPath is what a first request can ask for.
func tryPath(route config.Route) string {
	if route.Preset == "avs" {
		return avs.PathPing
	}
	return "/"
}

// PortOf returns the port of "host:port", "" where there is none.
func PortOf(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		return addr[i+1:]
	}
	return ""
}
