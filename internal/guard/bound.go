package guard

import (
	"context"
	"net/http"
	"strconv"

	"avsproxy/internal/problem"
)

type boundKey struct{}

// Bind returns a context for the requests inside a CONNECT to target. They may name
// no other authority, and need not show the client key again: so bind only what
// comes from a CONNECT that passed the guard.
func Bind(ctx context.Context, target Authority) context.Context {
	return context.WithValue(ctx, boundKey{}, target)
}

// Bound returns the target of the CONNECT that a request came in by; ok is false
// where there was none.
func Bound(ctx context.Context) (target Authority, ok bool) {
	target, ok = ctx.Value(boundKey{}).(Authority)
	return target, ok
}

// Named returns the authority that a request is for: the CONNECT's target where it
// came in by one, which says the port even where the request leaves it out, else
// what Host or :authority say. ok is false where that is no authority. A CONNECT
// must name its port (RFC 9110 section 9.3.6).
func Named(r *http.Request) (authority Authority, ok bool) {
	if target, ok := Bound(r.Context()); ok {
		return target, true
	}
	authority, ok = ParseAuthority(r.Host)
	if r.Method == http.MethodConnect && authority.Port == "" {
		return Authority{}, false
	}
	return authority, ok
}

// IsForward reports whether the client takes us for its forward proxy: it sent a
// CONNECT or the absolute form (RFC 9112 section 3.2), whose host is then the
// request's. Over HTTP/2 a :path may hold another one, which means nothing.
func IsForward(r *http.Request) bool { return r.URL.Host != "" && r.URL.Host == r.Host }

// strays refuses a request inside a CONNECT that names another host than the
// CONNECT did, be it in Host, :authority or the TLS handshake: what was decided for
// one host would else serve another.
func strays(r *http.Request) *problem.Problem {
	target, bound := Bound(r.Context())
	if !bound {
		return twoHosts(r)
	}
	if r.Method == http.MethodConnect {
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "a CONNECT inside a CONNECT", Hint: "send it to the proxy itself",
		}
	}
	for _, name := range names(r) {
		if !target.is(name) {
			return &problem.Problem{
				Code: problem.UnknownHost, Title: "this host is not served here",
				Detail: "the request is for " + strconv.Quote(clip(name)) + ", inside a CONNECT to " + strconv.Quote(target.Host+":"+target.Port),
				Hint:   "send it through a CONNECT to its own host",
			}
		}
	}
	return nil
}

// twoHosts refuses an HTTP/2 request whose Host differs from its :authority (RFC 9113
// section 8.3.1), and a target of a scheme that is not for proxies.
func twoHosts(r *http.Request) *problem.Problem {
	if scheme := r.URL.Scheme; scheme != "" && scheme != "http" && scheme != "https" {
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "the scheme of the request's target is neither http nor https", Hint: "correct the URL",
		}
	}
	for _, host := range r.Header["Host"] {
		if host != r.Host {
			return &problem.Problem{
				Code: problem.UnknownHost, Title: "this host is not served here",
				Detail: "the request names two hosts, " + strconv.Quote(clip(r.Host)) + " and " + strconv.Quote(clip(host)), Hint: "name one",
			}
		}
	}
	return nil
}

// names are all the ways in which a request says whom it is for. Over HTTP/2
// net/http leaves a Host field beside :authority in the header.
func names(r *http.Request) []string {
	all := append([]string{r.Host}, r.Header["Host"]...)
	if r.TLS != nil && r.TLS.ServerName != "" { // clients that name an address send none
		all = append(all, r.TLS.ServerName)
	}
	return all
}

// is reports whether name is the authority, be it without the port: that was
// settled when the connection was made.
func (a Authority) is(name string) bool {
	other, ok := ParseAuthority(name)
	return ok && other.Host == a.Host && (other.Port == "" || other.Port == a.Port)
}
