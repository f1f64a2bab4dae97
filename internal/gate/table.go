package gate

import (
	"fmt"
	"strings"

	"avsproxy/internal/exchange"
)

// A Table chooses a route by the host a request names. The first route is the
// default one, which the local names ("localhost", "127.0.0.1", "[::1]") mean but at the
// ports of other routes.
type Table struct {
	routes []string
	byName map[exchange.Authority]int // without a port: any that the listener accepts
	ported bool                       // one of them has a port
	ports  map[string]int             // of listeners that are a route's own; nil = there are none

	accounts map[int]Accounts // by the index of the route; nil = there are none
}

// OwnPort has the local names mean the route of that index at listeners with that port.
func (t *Table) OwnPort(port string, index int) {
	if t.ports == nil {
		t.ports = map[string]int{}
	}
	t.ports[port] = index
}

// Add appends a route. Its hosts are further names that mean it; one with a port
// means it only with that port, and goes before one without. A host that an
// earlier route has is an error, and so is a local name without a port.
func (t *Table) Add(name string, hosts ...string) error {
	if t.byName == nil {
		t.byName = map[exchange.Authority]int{}
	}
	index := len(t.routes)
	t.routes = append(t.routes, name)
	for _, host := range append([]string{name + ".localhost"}, hosts...) {
		authority, ok := exchange.ParseAuthority(host)
		if !ok {
			return fmt.Errorf("route %s: %q is not a host name", name, host)
		}
		if exchange.IsLocal(authority.Host) && authority.Port == "" {
			return fmt.Errorf("route %s: the host %s means the first route already", name, host)
		}
		if other, taken := t.byName[authority]; taken && other != index {
			return fmt.Errorf("route %s: the host %s belongs to route %s already", name, host, t.routes[other])
		}
		t.byName[authority] = index
		t.ported = t.ported || authority.Port != ""
	}
	return nil
}

// Choose returns the index of the route that a request for authority means,
// coming in at the listener.
func (t *Table) Choose(authority exchange.Authority, l exchange.Listener) (index int, ok bool) {
	if t.ported && authority.Port != "" {
		if index, ok := t.byName[authority]; ok {
			return index, true
		}
	}
	if !l.AcceptsPort(authority) || len(t.routes) == 0 {
		return 0, false
	}
	if l.IsSelf(authority.Host) {
		return t.ports[l.Port], true
	}
	index, ok = t.byName[exchange.Authority{Host: authority.Host}]
	return index, ok
}

// Knows reports whether some route belongs to the authority; it is for
// [Rules].
func (t *Table) Knows(authority exchange.Authority, l exchange.Listener) bool {
	_, ok := t.Choose(authority, l)
	return ok
}

// Names is the sentence that tells a client which hosts would do.
func (t *Table) Names() string {
	names := []string{"localhost"}
	for _, route := range t.routes {
		names = append(names, route+".localhost")
	}
	return "use one of " + strings.Join(names, ", ") + " with the proxy's port"
}
