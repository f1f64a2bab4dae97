package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/listen"
)

// Families is about the addresses that localhost means.
func Families() []Finding { return families(net.Listen) }

func families(listen func(network, address string) (net.Listener, error)) (all []Finding) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		ln, err := listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			all = append(all, warn("loopback", "this machine has no "+address, "clients that try that address first for localhost have to be told the other one"))
			continue
		}
		ln.Close()
		all = append(all, ok("loopback", "%s", address))
	}
	return all
}

// Names is about whether the system knows the names of the routes but the first: curl and
// browsers need no system for that, most other programs do.
func Names(ctx context.Context, conf *config.Config) (all []Finding) {
	for _, route := range conf.Routes[min(1, len(conf.Routes)):] {
		name := route.Name + ".localhost"
		look, cancel := context.WithTimeout(ctx, 3*time.Second)
		addresses, err := net.DefaultResolver.LookupHost(look, name)
		cancel()
		switch {
		case err == nil && len(addresses) > 0:
			all = append(all, ok("name", "%s is this machine", name))
		case len(route.Listen) > 0:
			all = append(all, ok("name", "%s does not resolve; the route has a port of its own", name))
		default:
			all = append(all, warn("name", name+" does not resolve here: Python, Node and Java do not find it",
				`give the route a port, such as listen = "localhost:9746", or add "127.0.0.1 `+name+`" to /etc/hosts`))
		}
	}
	return all
}

// Ports is about the addresses to listen on. running is the process of the proxy that serves from
// this configuration's folder, whose ports are no trouble; 0 = there is none.
func Ports(ctx context.Context, conf *config.Config, running int) (all []Finding) {
	addresses := append(slices.Clone(conf.Proxy.Listen), conf.Console.Listen)
	for _, route := range conf.Routes {
		addresses = append(addresses, route.Listen...)
	}
	for _, address := range addresses {
		if strings.HasPrefix(address, "unix:") {
			continue // the socket of a program that ended is replaced
		}
		all = append(all, port(ctx, address, running))
	}
	return all
}

func port(ctx context.Context, address string, running int) Finding {
	check := "port " + address
	lns, _, err := listen.Open(ctx, address)
	for _, ln := range lns {
		ln.Close()
	}
	var taken *listen.InUse
	switch {
	case err == nil:
		return ok(check, "free")
	case errors.As(err, &taken) && running != 0 && (taken.PID == running || taken.PID == 0):
		return ok(check, "the running proxy's (pid %d)", running)
	case taken != nil && taken.Program == "avsproxy":
		return fail(check, fmt.Sprintf("another avsproxy (pid %d) has it", taken.PID), "end that one, or give this one ports and a [store] path of its own")
	case taken != nil:
		return fail(check, taken.Error(), "end the other program, or choose another port")
	}
	return fail(check, err.Error(), "choose another address")
}

// ProxyVariables is about proxies that programs take from their environment on their way to us.
func ProxyVariables(getenv func(string) string, proxy []string) (all []Finding) {
	exempt := strings.Split(cmp.Or(getenv("no_proxy"), getenv("NO_PROXY")), ",")
	covers := slices.ContainsFunc(exempt, func(entry string) bool {
		entry = strings.TrimSpace(entry)
		return entry == "*" || entry == "localhost" || entry == "127.0.0.1"
	})
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"} {
		value := getenv(name)
		if value == "" {
			continue
		}
		if isOneOf(value, proxy) {
			all = append(all, ok("environment", "%s leads here", name))
		} else if !covers {
			all = append(all, warn("environment", name+" leads requests to localhost round the proxy, for NO_PROXY does not name it", "add localhost,127.0.0.1,.localhost to NO_PROXY"))
		}
	}
	if len(all) == 0 {
		all = append(all, ok("environment", "no variable leads clients round the proxy"))
	}
	return all
}

// isOneOf reports whether a URL leads to one of the addresses.
func isOneOf(text string, addresses []string) bool {
	u, err := url.Parse(text)
	return err == nil && slices.ContainsFunc(addresses, func(address string) bool {
		_, port, bad := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
		return bad == nil && port == u.Port()
	})
}

// filesNeeded are enough for some hundred clients.
const filesNeeded = 1024

// Files is about how many files the process may open.
func Files(limit int) Finding {
	if limit < filesNeeded {
		return warn("open files", fmt.Sprintf("only %d are allowed, and each connection takes one or two", limit), "raise it: ulimit -n 4096, or LimitNOFILE= of the service")
	}
	return ok("open files", "%d are allowed", limit)
}
