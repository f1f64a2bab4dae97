// Package gate decides who may come in, which route a request means, and whether it
// may be asked for. Its functions are plain: they know connections and heads, and no
// engine.
package gate

import (
	"crypto/sha256"
	"strconv"

	"avsproxy/internal/exchange"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
)

// Rules are what one listener asks of a request. The zero value lets nothing in.
type Rules struct {
	// Users are the local users who may come in; nil = everybody. Whoever presents
	// the client key may, too: it says more than a user ID does.
	Users *peer.Users
	// UsersHint is the sentence that tells other users what to do.
	UsersHint string
	// Public reports whether a request is one that every local user may make; nil =
	// none is.
	Public func(*exchange.Conn, *exchange.Head) bool
	// Host reports whether a request at the listener may name the authority.
	Host func(exchange.Authority, exchange.Listener) bool
	// Names is the sentence that tells which hosts would do.
	Names string
	// Others lets forward requests (see [exchange.Head.Forward]) pass that name any other host.
	Others bool
	// Browser reports whether a request with these browser marks may pass all the
	// same; nil = none may.
	Browser func(*exchange.Conn, *exchange.Head) bool
	// Origin reports whether programs may send this Origin for the authority, as some
	// do that are no browsers; nil = none may.
	Origin func(a exchange.Authority, l exchange.Listener, origin string) bool
	// Hostless reports whether an HTTP/1.0 request without a Host may pass; nil = none
	// may.
	Hostless func(*exchange.Head) bool
	// HostsHint says in which setting hosts are named whose port is forwarded to this
	// one; empty = in none.
	HostsHint string
	// KeySum is the SHA-256 of the client key; nil = no key is asked for.
	KeySum *[sha256.Size]byte
}

// Admit says why a request may not pass; nil = it may. It takes the client key out of
// the head, since the key is for us alone. A guest has not shown that it may be here,
// even where this one request may pass.
func (rules Rules) Admit(c *exchange.Conn, h *exchange.Head) (p *problem.Problem, guest bool) {
	found := rules.KeySum != nil && takeKey(h.Fields, *rules.KeySum)
	h.Fields.Del(KeyHeader) // ours alone, right or wrong
	if found || c.Tunnel != nil {
		return rules.judge(c, h), false
	}
	// First of all: a stranger must not learn from the other refusals which hosts and
	// routes there are.
	other := rules.Users != nil && !rules.Users.Admit(c.Peer)
	switch {
	case other && (rules.Public == nil || !rules.Public(c, h)):
		return rules.otherUser(c), true
	case rules.KeySum != nil:
		return clientKeyRequired(), true
	}
	return rules.judge(c, h), other
}

// judge is about the request alone, whoever sent it.
func (rules Rules) judge(c *exchange.Conn, h *exchange.Head) *problem.Problem {
	if p := checkNames(c, h); p != nil {
		return p
	}
	if p := rules.Refuse(TargetOf(c, h)); p != nil && !rules.hostless(h) {
		return p
	}
	if FromBrowser(h.Fields) && (rules.Browser == nil || !rules.Browser(c, h)) && !rules.program(c, h) {
		return rules.fromPage(h)
	}
	return nil
}

// hostless is for probes of load balancers, which speak HTTP/1.0.
func (rules Rules) hostless(h *exchange.Head) bool {
	return h.Authority == "" && h.HTTP10 && rules.Hostless != nil && rules.Hostless(h)
}

func (rules Rules) otherUser(c *exchange.Conn) *problem.Problem {
	detail := "the system does not tell whose connection this is: its program has closed it, or runs in another container"
	if c.Peer.Known {
		detail = "the connection belongs to the user with uid " + strconv.Itoa(c.Peer.UID)
	}
	return &problem.Problem{
		Code: problem.UserForbidden, Title: "other users of this machine are refused",
		Detail: detail, Hint: rules.UsersHint,
	}
}

func clip(text string) string { return text[:min(len(text), 256)] }
