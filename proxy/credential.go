package proxy

import (
	"cmp"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"avsproxy/internal/exchange"
	"avsproxy/tokens"
)

// A ClientAuth says what to do with a credential that the client sent itself.
type ClientAuth string

const (
	ReplaceClientAuth ClientAuth = "replace" // ours goes in its place
	KeepClientAuth    ClientAuth = "keep"    // the client's goes on and ours stays home
	RejectClientAuth  ClientAuth = "reject"  // the request is answered with not_allowed
)

// A Credential is what a route adds to its requests, and how.
type Credential struct {
	// Source gives the token. Nil = the route has no credential: requests pass as
	// they are.
	Source *tokens.Source
	// Header names the field the token goes into, Format what is put there, as
	// [tokens.Token.Fill] does it. Empty = "Authorization" and "Bearer {token}" (RFC
	// 6750 section 2.1).
	Header, Format string
	// ClientAuth is about a credential the client sent; empty = replace it.
	ClientAuth ClientAuth
	// Placeholder is what [TokenEndpoint] gives to clients. It is no credential of theirs:
	// wherever it stands in a header, the real token takes its place.
	Placeholder PlaceholderToken
	// HealOn lists the statuses by which the upstream says that the token is no
	// good. It is renewed then, and the request sent once more, if its body is short
	// and was read whole; otherwise the next request renews it first.
	HealOn []int

	ready *preparedCredential // nil = made for each request; see Route.Start
}

// A preparedCredential is what would be made anew for each request.
type preparedCredential struct {
	deletes func(name, value string) bool // what the client's own credential is
	last    atomic.Pointer[filledToken]
}

func (c *Credential) prepared() *preparedCredential {
	if c.ready != nil {
		return c.ready
	}
	return &preparedCredential{deletes: func(name, _ string) bool { return c.isCredential(name) }}
}

var (
	// ErrWrongOrigin means that a request was about to leave for another place
	// than the token belongs to.
	ErrWrongOrigin = errors.New("the request is not for the upstream that the credential belongs to")
	// ErrClientAuth means that the route refuses clients' own credentials.
	ErrClientAuth = errors.New("this route refuses requests that bring their own credential")
)

// Decide says what is to be done about a request that has these fields: injected,
// no_credential, or kept. Its error is [ErrClientAuth].
func (c *Credential) Decide(f exchange.Fields) (exchange.Decision, error) {
	switch {
	case c.Source == nil:
		return exchange.NoCredential, nil
	case !c.keeps(f):
		return exchange.Injected, nil
	case c.ClientAuth == RejectClientAuth:
		return exchange.Refused, ErrClientAuth
	case c.bringsPlaceholder(f):
		return exchange.Injected, nil
	}
	return exchange.Kept, nil
}

// keeps reports whether the client's own credential is not to be replaced.
func (c *Credential) keeps(f exchange.Fields) bool {
	return c.ClientAuth != "" && c.ClientAuth != ReplaceClientAuth && c.bringsOwn(f)
}

// CheckOrigin compares what will really be dialed and asked for, not what some
// earlier step meant to.
func CheckOrigin(req *http.Request, origin *url.URL) error {
	sameHost := req.Host == "" || req.Host == origin.Host
	if !isOpaquePath(req.URL.Opaque) || !sameHost { // Opaque goes before host and path in the request line, and may be an absolute form
		return ErrWrongOrigin
	}
	return checkOrigin(req.URL.Scheme, req.URL.Host, origin)
}

func checkOrigin(scheme, host string, origin *url.URL) error {
	if origin.Scheme != "https" || scheme != "https" || host != origin.Host {
		return ErrWrongOrigin
	}
	return nil
}

// Apply puts the token into the fields of a request. It leaves a credential that is to be
// kept where it is; the token then goes only where the client wants it, into the place
// of the placeholder.
func (c *Credential) Apply(f exchange.Fields, token tokens.Token) {
	if !c.keeps(f) {
		c.remove(f)
		c.add(f, token)
	}
	c.Placeholder.replace(f, token)
}

// remove removes what some server would read as the credential.
func (c *Credential) remove(f exchange.Fields) { f.DeleteFunc(c.prepared().deletes) }

func (c *Credential) add(f exchange.Fields, token tokens.Token) { f.Add(c.header(), c.filled(token)) }

// filled is what the field of the credential says. A route that has started keeps it until the
// token changes.
func (c *Credential) filled(token tokens.Token) string {
	kept := &c.prepared().last
	if last := kept.Load(); last != nil && last.token == token.Access {
		return last.value
	}
	value := token.Fill(cmp.Or(c.Format, "Bearer {token}"))
	kept.Store(&filledToken{token.Access, value})
	return value
}

// A filledToken is a token in the form of its field.
type filledToken struct {
	token tokens.Secret
	value string
}

func (c *Credential) header() string {
	if c.Header == "" || c.Header == "Authorization" {
		return "Authorization"
	}
	return textproto.CanonicalMIMEHeaderKey(c.Header)
}

// isCredential reports whether some server would read a field as the credential.
func (c *Credential) isCredential(name string) bool {
	return exchange.SameField(name, c.header()) || exchange.SameField(name, "Authorization") || exchange.SameField(name, "Proxy-Authorization")
}

// bringsOwn reports whether the client sent a credential that is not our placeholder.
func (c *Credential) bringsOwn(f exchange.Fields) bool {
	for name, value := range f.Each {
		if c.isCredential(name) && !c.Placeholder.in(value) {
			return true
		}
	}
	return false
}

// bringsPlaceholder reports whether any field of the client's has the placeholder in it.
func (c *Credential) bringsPlaceholder(f exchange.Fields) bool {
	for _, value := range f.Each {
		if c.Placeholder.in(value) {
			return true
		}
	}
	return false
}

// in reports whether the access token is part of a header's value.
func (d PlaceholderToken) in(value string) bool {
	return d.Access != "" && strings.Contains(value, d.Access)
}

// replace puts the real token into the place of the placeholder, in whichever field.
func (d PlaceholderToken) replace(f exchange.Fields, token tokens.Token) {
	if d.Access == "" {
		return
	}
	var names []string
	for name, value := range f.Each {
		if d.in(value) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		exchange.Replace(f, name, func(value string) string {
			return strings.ReplaceAll(value, d.Access, token.Access.Reveal())
		})
	}
}
