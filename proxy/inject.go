package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"time"

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

// An Injector adds a credential to requests for one origin and refuses to touch
// any other. It is the last step before the wire: what stands behind it sees the
// token, nothing before it does. Its errors are [*tokens.Error], [ErrWrongOrigin]
// and [ErrClientAuth], besides Next's own.
type Injector struct {
	// Next sends the request; it must not follow redirects. One that has to wait for
	// something before it can is a [Sender].
	Next http.RoundTripper
	// Origin is the only place the token may go to; its scheme must be https.
	Origin *url.URL
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
}

var (
	// ErrWrongOrigin means that a request was about to leave for another place
	// than the token belongs to.
	ErrWrongOrigin = errors.New("the request is not for the upstream that the credential belongs to")
	// ErrClientAuth means that the route refuses clients' own credentials.
	ErrClientAuth = errors.New("this route refuses requests that bring their own credential")
)

// RoundTrip implements [http.RoundTripper].
func (i *Injector) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := i.checkOrigin(req); err != nil {
		return nil, refuse(req, err)
	}
	if i.Source == nil {
		decide(req.Context(), NoCredential)
		return i.Next.RoundTrip(req)
	}
	own := i.ClientAuth != "" && i.ClientAuth != ReplaceClientAuth && i.bringsOwn(req.Header)
	if own && (i.ClientAuth == RejectClientAuth || !i.bringsPlaceholder(req.Header)) {
		return i.clientsOwn(req)
	}
	return i.send(req, own)
}

// token gets one, and notes how long that took and what it is.
func (i *Injector) token(ctx context.Context) (tokens.Token, error) { return i.tokenFor(ctx, ctx) }

// tokenFor is for the exchange of another context than the one that is waited for.
func (i *Injector) tokenFor(ctx, waiting context.Context) (tokens.Token, error) {
	began := time.Now()
	token, err := i.Source.Token(waiting)
	now := time.Now()
	note(ctx, func(e *Exchange) {
		e.Token += now.Sub(began)
		e.Credential, e.TokenAge, e.TokenLeft = i.Source.Name, -1, -1
		if err == nil && !token.Obtained.IsZero() {
			e.TokenAge = max(0, now.Sub(token.Obtained))
		}
		if err == nil && !token.Expiry.IsZero() {
			e.TokenLeft = max(0, token.Expiry.Sub(now))
		}
	})
	return token, err
}

// checkOrigin compares what will really be dialed and asked for, not what some
// earlier step meant to.
func (i *Injector) checkOrigin(req *http.Request) error {
	sameHost := req.Host == "" || req.Host == i.Origin.Host
	if req.URL.Opaque != "" { // it goes before host and path in the request line, and may be an absolute form
		return ErrWrongOrigin
	}
	if i.Origin.Scheme != "https" || req.URL.Scheme != "https" || req.URL.Host != i.Origin.Host || !sameHost {
		return ErrWrongOrigin
	}
	return nil
}

func (i *Injector) clientsOwn(req *http.Request) (*http.Response, error) {
	if i.ClientAuth == RejectClientAuth {
		return nil, refuse(req, ErrClientAuth)
	}
	decide(req.Context(), Kept)
	return i.Next.RoundTrip(req)
}

// withToken leaves a credential that is to be kept where it is; the token then goes
// only where the client wants it, into the place of the placeholder.
func (i *Injector) withToken(req *http.Request, token tokens.Token, keep bool) *http.Request {
	out := *req // a RoundTripper must not change the request it was given
	out.Header = req.Header.Clone()
	if !keep {
		dropCredentials(out.Header, i.header())
		out.Header[i.header()] = []string{i.filled(token)}
	}
	i.Placeholder.replace(out.Header, token)
	return &out
}

func (i *Injector) filled(token tokens.Token) string {
	if i.Format == "" {
		return token.Fill("Bearer {token}")
	}
	return token.Fill(i.Format)
}

func (i *Injector) header() string {
	if i.Header == "" {
		return "Authorization"
	}
	return textproto.CanonicalMIMEHeaderKey(i.Header)
}

// dropCredentials removes every field that some server would read as the
// credential.
func dropCredentials(h http.Header, header string) {
	for name := range h {
		if isCredential(name, header) {
			delete(h, name)
		}
	}
}

func isCredential(name, header string) bool {
	return exchange.SameField(name, header) || exchange.SameField(name, "Authorization") || exchange.SameField(name, "Proxy-Authorization")
}

func decide(ctx context.Context, decision Decision) {
	note(ctx, func(e *Exchange) { e.Decision = decision })
}

// refuse ends a request without sending it; a RoundTripper closes the body
// whatever happens.
func refuse(req *http.Request, err error) error {
	if req.Body != nil {
		req.Body.Close()
	}
	return err
}
