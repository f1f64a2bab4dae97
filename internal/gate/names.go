package gate

import (
	"strconv"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

// checkNames refuses a request inside a CONNECT that names another host than the
// CONNECT did, be it in Host, :authority or the TLS handshake: what was decided for
// one host would else serve another.
func checkNames(c *exchange.Conn, h *exchange.Head) *problem.Problem {
	target := c.Tunnel
	if target == nil {
		return checkSingleHost(h)
	}
	if h.Method == connect {
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "a CONNECT inside a CONNECT", Hint: "send it to the proxy itself",
		}
	}
	for _, name := range names(c, h) {
		if !target.Covers(name) {
			return &problem.Problem{
				Code: problem.UnknownHost, Title: "this host is not served here",
				Detail: "the request is for " + strconv.Quote(clip(name)) + ", inside a CONNECT to " + strconv.Quote(target.Host+":"+target.Port),
				Hint:   "send it through a CONNECT to its own host",
			}
		}
	}
	return nil
}

// checkSingleHost refuses an HTTP/2 request whose Host differs from its :authority (RFC 9113
// section 8.3.1), and a target of a scheme that is not for proxies.
func checkSingleHost(h *exchange.Head) *problem.Problem {
	if p := checkMethod(h.Method); p != nil {
		return p
	}
	if scheme := h.Scheme; scheme != "" && scheme != "http" && scheme != "https" {
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "the scheme of the request's target is neither http nor https", Hint: "correct the URL",
		}
	}
	for _, host := range h.Fields.Values("Host") {
		if host != h.Authority {
			return &problem.Problem{
				Code: problem.UnknownHost, Title: "this host is not served here",
				Detail: "the request names two hosts, " + strconv.Quote(clip(h.Authority)) + " and " + strconv.Quote(clip(host)), Hint: "name one",
			}
		}
	}
	return nil
}

// names are all the ways in which a request says whom it is for. Over HTTP/2 a Host
// field may stand beside :authority.
func names(c *exchange.Conn, h *exchange.Head) []string {
	all := append([]string{h.Authority}, h.Fields.Values("Host")...)
	if c.TLSName != "" { // clients that name an address send none
		all = append(all, c.TLSName)
	}
	return all
}
