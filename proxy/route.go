package proxy

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"avsproxy/internal/guard"
	"avsproxy/internal/problem"
)

// A Table chooses a route by the host a request names. The first route is the
// default one, which the local names ("localhost", "127.0.0.1", "[::1]") mean.
type Table struct {
	routes []string
	byName map[guard.Authority]int // without a port: any that fits the door
}

// Add appends a route. Its hosts are further names that mean it; one with a port
// means it only with that port, and goes before one without. A host that an
// earlier route has is an error, and so is a local name without a port.
func (t *Table) Add(name string, hosts ...string) error {
	if t.byName == nil {
		t.byName = map[guard.Authority]int{}
	}
	index := len(t.routes)
	t.routes = append(t.routes, name)
	for _, host := range append([]string{name + ".localhost"}, hosts...) {
		authority, ok := guard.ParseAuthority(host)
		if !ok {
			return fmt.Errorf("route %s: %q is not a host name", name, host)
		}
		if guard.IsLocal(authority.Host) && authority.Port == "" {
			return fmt.Errorf("route %s: the host %s means the first route already", name, host)
		}
		if other, taken := t.byName[authority]; taken && other != index {
			return fmt.Errorf("route %s: the host %s belongs to route %s already", name, host, t.routes[other])
		}
		t.byName[authority] = index
	}
	return nil
}

// Choose returns the index of the route that a request for authority means,
// coming in at door.
func (t *Table) Choose(authority guard.Authority, door guard.Door) (index int, ok bool) {
	if index, ok := t.byName[authority]; ok && authority.Port != "" {
		return index, true
	}
	if !door.Fits(authority) || len(t.routes) == 0 {
		return 0, false
	}
	if door.Means(authority.Host) {
		return 0, true
	}
	index, ok = t.byName[guard.Authority{Host: authority.Host}]
	return index, ok
}

// Knows reports whether some route belongs to the authority; it is for
// [guard.Rules].
func (t *Table) Knows(authority guard.Authority, door guard.Door) bool {
	_, ok := t.Choose(authority, door)
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

// Route sends each request to the handler of its route; handlers are in the
// order of the table.
func Route(table *Table, handlers []http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authority, ok := guard.Named(r)
		index := 0
		if ok {
			index, ok = table.Choose(authority, guard.RequestDoor(r))
		}
		if !ok { // the guard in front let it through, so this is for those who build without one
			problem.Problem{
				Code: problem.UnknownHost, Title: "this host is not served here",
				Detail: "no route belongs to the host " + strconv.Quote(r.Host), Hint: table.Names(),
			}.Write(w)
			return
		}
		handlers[index].ServeHTTP(w, r)
	})
}

// Split parts what a forward proxy is asked for from what goes to the routes: a
// CONNECT to a host of the table goes to intercept, forward requests for other hosts
// go to others, everything else to routed.
func Split(table *Table, routed, intercept, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authority, ok := guard.Named(r)
		known := ok && table.Knows(authority, guard.RequestDoor(r))
		switch {
		case known && r.Method == http.MethodConnect:
			intercept.ServeHTTP(w, r)
		case known || !guard.IsForward(r):
			routed.ServeHTTP(w, r)
		default:
			others.ServeHTTP(w, r)
		}
	})
}
