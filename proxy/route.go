package proxy

import (
	"net/http"
	"strconv"

	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/problem"
)

// Route sends each request to the handler of its route; handlers are in the
// order of the table.
func Route(table *gate.Table, handlers []http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authority, ok := httpexchange.Authority(r)
		index := 0
		if ok {
			index, ok = table.Choose(authority, httpexchange.Listener(r))
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
func Split(table *gate.Table, routed, intercept, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authority, ok := httpexchange.Authority(r)
		known := ok && table.Knows(authority, httpexchange.Listener(r))
		switch {
		case known && r.Method == http.MethodConnect:
			intercept.ServeHTTP(w, r)
		case known || !httpexchange.IsForward(r):
			routed.ServeHTTP(w, r)
		default:
			others.ServeHTTP(w, r)
		}
	})
}
