// Package sandbox emulates Login with Amazon (LWA) and the Alexa Voice Service (AVS)
// offline, in this process and on loopback only. It imports nothing of the proxy that it
// tests.
//
// Its tokens contain the word "sandbox", and its answers have the header
// X-Avsproxy-Sandbox.
package sandbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/faults"
)

// The only client that the sandbox knows. These values are not secret: they are valid
// only for a sandbox.
const (
	ClientID     = "amzn1.application-oa2-client.5a9db0c0ffee5a9db0c0ffee5a9db0c0"
	ClientSecret = "sandbox-client-secret-opens-nothing-else"
)

// SandboxHeader is on every answer of a sandbox, with the value "1".
const SandboxHeader = "X-Avsproxy-Sandbox"

// A Sandbox is a running sandbox. It is safe for concurrent use.
type Sandbox struct {
	authority *certs.Authority
	login     *login
	gateway   *gateway
	faults    *faults.Set
	lwa, avs  *service
	stop      context.CancelFunc
}

// Start starts a sandbox. If it refuses the options, it does not close their listeners.
func Start(o Options) (*Sandbox, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	authority, err := certs.New("avsproxy sandbox", CapabilitiesHost)
	if err != nil {
		return nil, err
	}
	o.Faults = cmp.Or(o.Faults, new(faults.Set))
	certs, err := newCertificates(authority, o.Faults)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l := newLogin(ctx, o)
	g := newGateway(l.grants, o)
	s := &Sandbox{
		authority: authority,
		login:     l,
		gateway:   g,
		faults:    o.Faults,
		lwa:       newService(ctx, certs.config("h2", "http/1.1"), l),
		avs:       newAVS(ctx, certs, g, o),
		stop:      stop,
	}
	if err := errors.Join(s.lwa.start(o.LWA), s.avs.start(o.AVS)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends everything, including open downchannels, and waits until it has ended.
// Another call does nothing.
func (s *Sandbox) Close() error {
	s.stop()
	return errors.Join(s.lwa.close(), s.avs.close())
}

// NewLWA returns the handler of Login with Amazon alone. It has no listener, so a test
// can serve it over pipes, also in a bubble of testing/synctest. It ignores the options
// about AVS and listeners. The end of ctx ends all delays.
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

// RootPEM returns the root of both services' certificates.
func (s *Sandbox) RootPEM() []byte { return s.authority.RootPEM() }

// Pool returns a pool with that root only.
func (s *Sandbox) Pool() *x509.CertPool { return s.authority.Pool() }

// Direct sends a directive on every open downchannel and returns on how many. A nil
// payload is sent as an empty object.
func (s *Sandbox) Direct(namespace, name string, payload any) int {
	return s.gateway.downchannels.send(avs.Directive{
		Header:  avs.Header{Namespace: namespace, Name: name, MessageID: newID()},
		Payload: payload,
	})
}

// Ledger returns the last 2048 requests to AVS, oldest first.
func (s *Sandbox) Ledger() []Arrival {
	arrivals := []Arrival{} // not nil: JSON shows an empty list
	for _, e := range s.gateway.ledger.all() {
		arrivals = append(arrivals, e.snapshot())
	}
	return arrivals
}

// ClearLedger clears the list of requests to AVS. The numbers of streams and
// connections go on.
func (s *Sandbox) ClearLedger() { s.gateway.ledger.clear() }

// TokenCalls returns the last 2048 calls of the token endpoint, oldest first. A call is
// in the list before its delay.
func (s *Sandbox) TokenCalls() []TokenCall { return s.login.calls.all() }

// Connections returns how many connections to AVS are open now, and how many there
// were. It counts a connection from its first bytes of HTTP after the TLS handshake;
// under HTTP/2 these are the client's preface.
func (s *Sandbox) Connections() (open, total int) {
	return int(s.avs.open.Load()), int(s.avs.total.Load())
}

// ExpireTokens makes AVS refuse every access token issued so far.
func (s *Sandbox) ExpireTokens() {
	s.login.grants.mu.Lock()
	defer s.login.grants.mu.Unlock()
	clear(s.login.grants.access)
}

// RevokeGrants revokes every refresh token issued so far: a call with one is answered
// with invalid_grant. Access tokens stay valid until they expire.
func (s *Sandbox) RevokeGrants() {
	s.login.grants.mu.Lock()
	defer s.login.grants.mu.Unlock()
	clear(s.login.grants.refresh)
	s.login.grants.rotated = nil
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Options say how a sandbox behaves. The zero value behaves as Amazon does, with a user
// who consents to everything at once.
type Options struct {
	// LWA and AVS are the listeners of the two services; the sandbox closes them. Empty
	// means one listener on 127.0.0.1 and a free port. All must be on a loopback
	// address.
	LWA, AVS []net.Listener
	// TokenLife is how long AVS accepts an access token, and the value of expires_in (in
	// whole seconds, at least 1). 0 means an hour. TimeScale applies to it.
	TokenLife time.Duration
	// TimeScale is how many times faster than Amazon's the sandbox's time passes: with
	// 60, an hour takes a minute. It shortens all lifetimes and intervals, and their
	// announced values, but not TokenDelay and not the durations of faults. 0 means 1.
	// LWA announces whole seconds: the sandbox rounds a lifetime down and an interval up,
	// to at least 1.
	TimeScale float64
	// AskConsent makes the authorize page and the verification page of code pairs ask
	// with Allow and Cancel. Otherwise the user has consented already.
	AskConsent bool
	// Faults make the sandbox misbehave; they may change while it runs. Nil means a new
	// set, which [Sandbox.Faults] returns.
	Faults *faults.Set
	// MaxConcurrentStreams is AVS's limit for one connection; 0 means 100.
	MaxConcurrentStreams int
	// OneConnection makes AVS enforce its rule of one connection per device: if tokens of
	// one client and device serial number come over two connections, AVS closes the older
	// one with GOAWAY.
	OneConnection bool
	// IdleTimeout is how long a client may be silent on a connection to AVS; any frame
	// ends the silence, also PING. 0 means five minutes. ConnLife is how long AVS accepts
	// new streams on a connection before it sends GOAWAY; open streams may finish. 0 means
	// an hour. TimeScale applies to both.
	IdleTimeout, ConnLife time.Duration
	// HTTP1 makes AVS speak HTTP/1.1 and not offer h2. The options about connections and
	// streams have no effect then, and faults that strike connections after a while, such
	// as goaway@10s, do not strike.
	HTTP1 bool
	// TokenDelay delays the answers of the token endpoint, even if the caller hangs up, as
	// on a real server.
	TokenDelay time.Duration
}

func (o Options) check() error {
	if min(o.TokenLife, o.TokenDelay, o.IdleTimeout, o.ConnLife) < 0 || o.MaxConcurrentStreams < 0 {
		return errors.New("the sandbox's durations and limits may not be negative")
	}
	if !(o.TimeScale >= 0) || math.IsInf(o.TimeScale, 0) {
		return fmt.Errorf("the sandbox's time scale must be a positive number, such as 60 for an hour in a minute, not %v", o.TimeScale)
	}
	for _, l := range slices.Concat(o.LWA, o.AVS) {
		address, ok := l.Addr().(*net.TCPAddr)
		if !ok || !address.IP.IsLoopback() {
			return fmt.Errorf("the sandbox listens on loopback only, not on %s", l.Addr())
		}
	}
	return nil
}

// scaled returns an option, or Amazon's duration if that is 0, in the sandbox's time.
func (o Options) scaled(option, amazon time.Duration) time.Duration {
	return max(1, time.Duration(float64(cmp.Or(option, amazon))/cmp.Or(o.TimeScale, 1)))
}

// lifetimeSeconds rounds down, as LWA announces a lifetime.
func lifetimeSeconds(d time.Duration) int { return max(1, int(d/time.Second)) }

// intervalSeconds rounds up, as LWA announces an interval.
func intervalSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
