// Package sandbox is a small Amazon that runs offline: Login with Amazon (LWA)
// and the Alexa Voice Service (AVS), in this process and on loopback only. It
// shares nothing with the code that it is there to judge.
//
// Everything it gives out is marked: its tokens hold the word "sandbox" and its
// answers carry the header X-Avsproxy-Sandbox.
package sandbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"avsproxy/internal/avs"
	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/faults"
)

// The one client that the sandbox knows. They are no secrets: they open nothing
// but a sandbox.
const (
	ClientID     = "amzn1.application-oa2-client.5a9db0c0ffee5a9db0c0ffee5a9db0c0"
	ClientSecret = "sandbox-client-secret-opens-nothing-else"
)

// MarkHeader is on every answer of a sandbox, with the value "1".
const MarkHeader = "X-Avsproxy-Sandbox"

// A Sandbox is a running one. It is safe for concurrent use.
type Sandbox struct {
	authority *certs.Authority
	login     *login
	gateway   *gateway
	faults    *faults.Set
	lwa, avs  *site
	stop      context.CancelFunc
}

// Start starts a sandbox, which answers from then on. When the options are
// refused, their listeners are left to the caller.
func Start(o Options) (*Sandbox, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	authority, err := certs.New("avsproxy sandbox", CapabilitiesHost)
	if err != nil {
		return nil, err
	}
	o.Faults = cmp.Or(o.Faults, new(faults.Set))
	papers, err := newPapers(authority, o.Faults)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	l := newLogin(running, o)
	s := &Sandbox{
		authority: authority,
		login:     l,
		gateway:   newGateway(l.grants, o),
		faults:    o.Faults,
		stop:      stop,
	}
	s.lwa = &site{engine: lwaEngine(running, papers, s.login)}
	s.avs = &site{engine: avsEngine(running, papers, s.gateway, o)}
	if err := errors.Join(s.lwa.serve(o.LWA), s.avs.serve(o.AVS)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func lwaEngine(running context.Context, p *papers, l *login) engine {
	c := newClassic(running, p.config("h2", "http/1.1"), l)
	rememberConn(c.server)
	return c
}

func avsEngine(running context.Context, p *papers, g *gateway, o Options) engine {
	if !o.HTTP1 {
		return newFramed(running, p.config("h2"), g, g.conduct, o)
	}
	c := newClassic(running, p.config("http/1.1"), g)
	c.onlyHTTP1()
	return c
}

// Close ends everything, open downchannels too, and waits until it has ended.
// Calling it again does nothing.
func (s *Sandbox) Close() error {
	s.stop()
	return errors.Join(s.lwa.close(), s.avs.close())
}

// NewLWA returns Login with Amazon without a sandbox around it: it listens
// nowhere, and so it can be served over pipes, also in a bubble of
// testing/synctest. What the options say of AVS and of listeners is ignored. The
// end of ctx cuts short the answers that it delays.
func NewLWA(ctx context.Context, o Options) (http.Handler, error) {
	o.LWA, o.AVS = nil, nil
	if err := o.check(); err != nil {
		return nil, err
	}
	return newLogin(ctx, o), nil
}

// LWA returns the base URL of Login with Amazon: "https://localhost:PORT".
func (s *Sandbox) LWA() string { return s.lwa.url() }

// AVS returns the base URL of the Alexa Voice Service: "https://localhost:PORT".
func (s *Sandbox) AVS() string { return s.avs.url() }

// Faults returns the faults of the sandbox, which may be changed at any time.
func (s *Sandbox) Faults() *faults.Set { return s.faults }

// RootPEM returns the root certificate that both services' certificates hang on.
func (s *Sandbox) RootPEM() []byte { return s.authority.RootPEM() }

// Pool returns a pool that trusts that root and nothing else.
func (s *Sandbox) Pool() *x509.CertPool { return s.authority.Pool() }

// Direct sends a directive on every open downchannel and returns how many took
// it. A nil payload is sent as an empty object.
func (s *Sandbox) Direct(namespace, name string, payload any) int {
	return s.gateway.downchannels.send(avs.Directive{
		Header:  avs.Header{Namespace: namespace, Name: name, MessageID: newID()},
		Payload: payload,
	})
}

// Ledger returns what arrived at AVS, oldest first. It keeps the last 2048.
func (s *Sandbox) Ledger() []Arrival { return s.gateway.ledger.arrivals() }

// ClearLedger forgets what arrived at AVS so far. Streams and connections keep
// their numbers.
func (s *Sandbox) ClearLedger() { s.gateway.ledger.entries.clear() }

// TokenCalls returns the calls of the token endpoint, oldest first. It keeps the
// last 2048. A call is listed as soon as it is decided, before its delay.
func (s *Sandbox) TokenCalls() []TokenCall { return s.login.calls.all() }

// Connections returns how many connections to AVS are open now, and how many
// there were: those that finished the TLS handshake and then spoke HTTP, which
// under h2 every client does at once.
func (s *Sandbox) Connections() (open, total int) { return s.avs.engine.counts() }

// ExpireTokens makes AVS refuse every access token given out so far.
func (s *Sandbox) ExpireTokens() { s.login.grants.expireTokens() }

// RevokeGrants ends every refresh token given out so far: using one is answered
// with invalid_grant. Access tokens live on until they expire.
func (s *Sandbox) RevokeGrants() { s.login.grants.revoke() }

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// mark says on an answer that it comes from a sandbox, and gives it an id.
func mark(w http.ResponseWriter) {
	w.Header().Set(MarkHeader, "1")
	w.Header().Set("x-amzn-RequestId", newID())
}
