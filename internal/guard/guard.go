package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
)

// KeyHeader is the header of our own that may carry the client key.
const KeyHeader = "Avsproxy-Key"

// Rules are what one listener asks of a request. The zero value lets nothing in.
type Rules struct {
	// Users are the local users who may come in; nil = everybody. Whoever presents
	// the client key may, too: it says more than a user ID does.
	Users *peer.Users
	// UsersHint is the sentence that tells other users what to do.
	UsersHint string
	// Anyone reports whether a request is one that every local user may make; nil =
	// none is.
	Anyone func(r *http.Request) bool
	// Host reports whether a request at the door may name the authority.
	Host func(Authority, Door) bool
	// Names is the sentence that tells which hosts would do.
	Names string
	// Others lets forward requests (see [IsForward]) pass that name any other host.
	Others bool
	// Browser reports whether a request with these browser marks may pass all the
	// same; nil = none may.
	Browser func(r *http.Request) bool
	// Origin reports whether programs may send this Origin for the authority, as some
	// do that are no browsers; nil = none may.
	Origin func(a Authority, d Door, origin string) bool
	// Hostless reports whether an HTTP/1.0 request without a Host may pass; nil = none
	// may.
	Hostless func(r *http.Request) bool
	// HostsHint says in which setting hosts are named whose port is forwarded to this
	// one; empty = in none.
	HostsHint string
	// KeySum is the SHA-256 of the client key; nil = no key is asked for.
	KeySum *[sha256.Size]byte
}

// Guard lets through to next what passes the rules. Each refusal is answered
// with a problem and told to refused, which may be nil.
func Guard(rules Rules, refused func(*http.Request, problem.Problem), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, guest := rules.check(r)
		if guest {
			w.Header().Set("Connection", "close") // the places are for those who may be here
		}
		if p != nil {
			if refused != nil {
				refused(r, *p)
			}
			p.Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// check says why a request may not pass; nil = it may. A guest has not shown that it may
// be here, even where this one request may pass.
func (rules Rules) check(r *http.Request) (p *problem.Problem, guest bool) {
	found := rules.KeySum != nil && takeKey(r.Header, *rules.KeySum)
	r.Header.Del(KeyHeader) // ours alone, right or wrong
	_, inside := Bound(r.Context())
	if found || inside {
		return rules.judge(r), false
	}
	// First of all: a stranger must not learn from the other refusals which hosts and
	// routes there are.
	other := rules.Users != nil && !rules.Users.Admit(peer.FromContext(r.Context()))
	switch {
	case other && (rules.Anyone == nil || !rules.Anyone(r)):
		return rules.otherUser(r), true
	case rules.KeySum != nil:
		return clientKeyRequired(), true
	}
	return rules.judge(r), other
}

// judge is about the request alone, whoever sent it.
func (rules Rules) judge(r *http.Request) *problem.Problem {
	if p := strays(r); p != nil {
		return p
	}
	if p := rules.Refuse(targetOf(r)); p != nil && !rules.hostless(r) {
		return p
	}
	if FromBrowser(r.Header) && (rules.Browser == nil || !rules.Browser(r)) && !rules.program(r) {
		return rules.fromPage(r)
	}
	return nil
}

// hostless is for probes of load balancers, which speak HTTP/1.0.
func (rules Rules) hostless(r *http.Request) bool {
	return r.Host == "" && !r.ProtoAtLeast(1, 1) && rules.Hostless != nil && rules.Hostless(r)
}

func clientKeyRequired() *problem.Problem {
	return &problem.Problem{
		Code: problem.ClientKeyRequired, Title: "the client key is missing or wrong",
		Detail: "this proxy was configured with a client_key",
		Hint:   "send it as 'Avsproxy-Key: KEY' or 'Proxy-Authorization: Bearer KEY', or with curl --proxy-user x:KEY",
	}
}

func (rules Rules) otherUser(r *http.Request) *problem.Problem {
	detail := "the system does not tell whose connection this is: its program has closed it, or runs in another container"
	if p := peer.FromContext(r.Context()); p.Known {
		detail = "the connection belongs to the user with uid " + strconv.Itoa(p.UID)
	}
	return &problem.Problem{
		Code: problem.UserForbidden, Title: "other users of this machine are refused",
		Detail: detail, Hint: rules.UsersHint,
	}
}

// KeySum returns the form in which a guard keeps a client key.
func KeySum(key string) *[sha256.Size]byte {
	sum := sha256.Sum256([]byte(key))
	return &sum
}

// FromBrowser reports whether the header bears what browsers add to requests of
// pages: any Origin (the Fetch standard sends it with every request that could
// read an answer or change something), or a Sec-Fetch-Site that is neither the
// user's own navigation nor the same origin. Preflights are theirs alone.
func FromBrowser(h http.Header) bool {
	if len(h["Origin"]) > 0 || len(h["Access-Control-Request-Method"]) > 0 {
		return true
	}
	for _, site := range h["Sec-Fetch-Site"] {
		if site != "none" && site != "same-origin" {
			return true
		}
	}
	return false
}

// takeKey looks for the client key where clients can put one, and removes it
// from the header: it is for us and nobody behind us. As a bearer token it serves
// clients that can be given a token and nothing else.
func takeKey(h http.Header, sum [sha256.Size]byte) bool {
	own := take(h, KeyHeader, sum, func(value string) string { return value })
	bearing := take(h, "Proxy-Authorization", sum, bearer)
	basic := take(h, "Proxy-Authorization", sum, basicPassword)
	phantom := take(h, "Authorization", sum, bearer)
	return own || bearing || basic || phantom
}

// take removes the values of the named field in which read finds the key.
func take(h http.Header, name string, sum [sha256.Size]byte, read func(value string) string) bool {
	before := len(h[name])
	others := slices.DeleteFunc(h[name], func(value string) bool { return isKey(read(value), sum) })
	if len(others) == 0 {
		delete(h, name)
	} else {
		h[name] = others
	}
	return len(others) < before
}

// bearer returns the token of "Bearer TOKEN" (RFC 6750 section 2.1), else "".
func bearer(value string) string {
	if scheme, rest, _ := strings.Cut(value, " "); lower(scheme) == "bearer" {
		return strings.TrimLeft(rest, " ")
	}
	return ""
}

// basicPassword returns the password of "Basic CREDENTIALS" (RFC 7617), else "".
// The user's name may be any.
func basicPassword(value string) string {
	scheme, rest, _ := strings.Cut(value, " ")
	if lower(scheme) != "basic" {
		return ""
	}
	text, _ := base64.StdEncoding.DecodeString(strings.TrimLeft(rest, " "))
	_, password, _ := strings.Cut(string(text), ":")
	return password
}

func isKey(candidate string, sum [sha256.Size]byte) bool {
	got := sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(got[:], sum[:]) == 1
}

// RequestDoor tells through which listener net/http got the request.
func RequestDoor(r *http.Request) Door {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return DoorOf(addr, secureScheme(r))
}

// secureScheme reports whether the request is for https: for a CONNECT and what
// comes in by one, unless its port is that of http; else by the scheme of its
// absolute form where it has one, else by the connection.
func secureScheme(r *http.Request) bool {
	target, tunnelled := Bound(r.Context())
	if r.Method == http.MethodConnect {
		target, tunnelled = ParseAuthority(r.Host)
	}
	switch {
	case tunnelled:
		return target.Port != "80"
	case r.URL.Scheme != "":
		return r.URL.Scheme == "https"
	}
	return r.TLS != nil
}

func portText(port int) string { return strconv.Itoa(port) }

func clip(text string) string { return text[:min(len(text), 256)] }
