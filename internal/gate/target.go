package gate

import (
	"strconv"
	"strings"

	"avsproxy/internal/exchange"
	"avsproxy/internal/problem"
)

// A Target is what a request asks for, and how.
type Target struct {
	Method    string
	Host      string             // as it was sent
	Authority exchange.Authority // what it is for; see [exchange.Conn.Authority]
	Valid     bool               // it is for an authority at all
	Listener  exchange.Listener  // where it came in
	Forward   bool               // the client uses us as its forward proxy
}

// TargetOf is the target of a head.
func TargetOf(c *exchange.Conn, h *exchange.Head) Target {
	authority, ok := c.Authority(h)
	return Target{Method: h.Method, Host: h.Authority, Authority: authority, Valid: ok, Listener: c.ListenerFor(h), Forward: h.Forward}
}

const connect = "CONNECT"

// Refuse says why no request for the target may pass, whatever its header fields;
// nil = it may.
func (rules Rules) Refuse(t Target) *problem.Problem {
	switch {
	case !rules.serves(t):
		return rules.unknownHost(t)
	default:
		return checkMethod(t.Method)
	}
}

// checkMethod refuses methods that must not reach an upstream. Methods have a case, but
// not every server knows that.
func checkMethod(method string) *problem.Problem {
	switch {
	case strings.EqualFold(method, "TRACE"):
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "TRACE would show the credential to the client", Hint: "use another method",
		}
	case method != connect && strings.EqualFold(method, connect):
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "the upstream could take its method for CONNECT and open a tunnel", Hint: "write CONNECT in capital letters",
		}
	}
	return nil
}

func (rules Rules) serves(t Target) bool {
	if !t.Valid || rules.Host == nil {
		return false
	}
	return rules.Host(t.Authority, t.Listener) || (rules.Others && t.Forward)
}

func (rules Rules) unknownHost(t Target) *problem.Problem {
	host := strconv.Quote(clip(t.Host))
	switch {
	case t.Forward && rules.Others:
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: host + " is not a host and, for CONNECT, a port",
			Hint:   "name the host in plain letters, digits, hyphens and dots",
		}
	case t.Forward:
		return &problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed",
			Detail: "no route belongs to the host " + host + ", and others = \"reject\" in config.toml refuses the rest",
			Hint:   rules.Names + ", set others = \"tunnel\" under [proxy], or ask that host without this proxy",
		}
	}
	return &problem.Problem{
		Code: problem.UnknownHost, Title: "this host is not served here",
		Detail: "no route belongs to the host " + host, Hint: rules.Names + rules.forwarded(t),
	}
}

// forwarded is for those whose port is another one on its way here (ssh -L, docker -p).
func (rules Rules) forwarded(t Target) string {
	if rules.HostsHint == "" || !t.Valid || t.Authority.Port == "" || !exchange.IsLocalName(t.Authority.Host) {
		return ""
	}
	return "; if that port is forwarded to this one, add " + strconv.Quote(t.Authority.String()) + " to " + rules.HostsHint
}
