package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/gate"
	"avsproxy/internal/problem"
	"avsproxy/internal/terminal"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

// An Upstream is where a route sends its requests.
type Upstream struct {
	Route            string
	Origin           *url.URL
	Roots            *x509.CertPool   // nil = the system's
	Certificate      *tls.Certificate // nil = none
	SingleConnection bool
	Proxy            func(*url.URL) (*url.URL, error) // nil = there is none on the way
}

// reachTimeout bounds one question to another machine.
const reachTimeout = 10 * time.Second

// Upstreams asks each upstream, without a credential.
func Upstreams(ctx context.Context, all []Upstream) []Finding {
	found := make([][]Finding, len(all))
	var asking sync.WaitGroup
	for i, u := range all {
		asking.Go(func() { found[i] = u.look(ctx) })
	}
	asking.Wait()
	var list []Finding
	for _, some := range found {
		list = append(list, some...)
	}
	return list
}

func (u Upstream) look(ctx context.Context) (all []Finding) {
	check := "upstream of " + u.Route
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conf := &tls.Config{RootCAs: u.Roots, MinVersion: tls.VersionTLS12}
	if u.Certificate != nil {
		conf.Certificates = []tls.Certificate{*u.Certificate}
	}
	transport := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	if u.Proxy != nil {
		transport.Proxy = func(r *http.Request) (*url.URL, error) { return u.Proxy(r.URL) }
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.Origin.Scheme+"://"+u.Origin.Host+"/", nil)
	if err != nil {
		return []Finding{fail(check, err.Error(), "correct upstream of the route")}
	}
	sent := time.Now()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return []Finding{u.unreachable(check, err)}
	}
	resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		all = append(all, clock(u.Origin.Host, tokens.SkewOf(date, sent, time.Since(sent)))...)
	}
	if resp.ProtoMajor != 2 && u.SingleConnection {
		return append(all, fail(check, u.Origin.Host+" does not speak HTTP/2, which single_connection needs", "take single_connection and preset avs away from the route, or correct its upstream"))
	}
	text := fmt.Sprintf("%s answers over %s", u.Origin.Host, resp.Proto)
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		ends := resp.TLS.PeerCertificates[0].NotAfter
		if time.Until(ends) < 7*24*time.Hour {
			return append(all, warn(check, text+"; its certificate ends "+ends.Local().Format(time.DateTime), "have it renewed"))
		}
		text += ", with a certificate that is trusted until " + ends.Local().Format(time.DateOnly)
	}
	return append(all, ok(check, "%s", text))
}

// unreachable says why there was no answer. A certificate that is not valid now has its dates: this
// machine's clock may be wrong.
func (u Upstream) unreachable(check string, err error) Finding {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fail(check, fmt.Sprintf("the certificate of %s is valid from %s to %s, and now it is %s", u.Origin.Host,
			invalid.Cert.NotBefore.Local().Format(time.DateTime), invalid.Cert.NotAfter.Local().Format(time.DateTime), time.Now().Format(time.DateTime)),
			"have it renewed, or set this machine's clock")
	}
	if upstream.IsTimeout(err) {
		return fail(check, fmt.Sprintf("%s does not answer within %v", u.Origin.Host, reachTimeout), "check the network, HTTPS_PROXY, and upstream of the route")
	}
	detail, hint := upstream.Describe(err)
	return fail(check, u.Origin.Host+": "+detail, hint)
}

// clock is about this machine's clock, which is ahead of another's; 0 = it is not.
func clock(host string, ahead time.Duration) []Finding {
	way := "ahead of"
	switch {
	case ahead == 0:
		return nil
	case ahead < 0:
		way = "behind"
	}
	text := fmt.Sprintf("this machine's clock is %v %s that of %s", ahead.Abs(), way, host)
	f := fail("clock", text, "set it by the network: timedatectl set-ntp true")
	if ahead.Abs() < 5*time.Minute {
		f.Level = Warn
	}
	return []Finding{f}
}

// A Provider is where a credential gets its tokens.
type Provider struct {
	Credential string
	Grant      string // as the configuration has it
	Client     *tokens.Client
}

// Providers asks each provider whether it knows the client, and could begin a login.
func Providers(ctx context.Context, all []Provider) (list []Finding) {
	for _, p := range all {
		list = append(list, p.look(ctx)...)
	}
	return list
}

func (p Provider) look(ctx context.Context) (all []Finding) {
	check := "provider of " + p.Credential
	ctx, cancel := context.WithTimeout(ctx, 2*reachTimeout)
	defer cancel()
	err := p.Client.Check(ctx, p.Grant)
	all = clock("the provider of "+p.Credential, p.Client.Skew())
	if err == nil {
		all = append(all, ok(check, "its token endpoint answers, and knows the client"))
	}
	if err == nil && p.Grant == "authorization_code" {
		if err = p.Client.CheckLogin(ctx); err == nil {
			all = append(all, ok(check, "it does not refuse to begin a login that comes back to %s", p.Client.RedirectURL))
		}
	}
	if err == nil {
		return all
	}
	var known *tokens.Error
	if errors.As(err, &known) {
		return append(all, fail(check, known.Error(), known.Hint))
	}
	return append(all, fail(check, err.Error(), "check the network and the provider's URLs"))
}

// NoSandbox is about a sandbox that does not run.
func NoSandbox() Finding {
	return ok("upstreams", "the sandbox, which runs with 'avsproxy serve'")
}

// Probe sends a route's probe through the proxy at address, with the client key where there is one.
func Probe(ctx context.Context, address *url.URL, key tokens.Secret, route config.Route) Finding {
	check := "probe of " + route.Name
	method, path, _ := strings.Cut(route.Probe, " ")
	ctx, cancel := context.WithTimeout(ctx, 3*reachTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address.Scheme+"://"+address.Host+path, nil)
	if err != nil {
		return fail(check, err.Error(), "correct probe of the route")
	}
	req.Host = net.JoinHostPort(route.Name+".localhost", address.Port())
	if !key.IsZero() {
		req.Header.Set(gate.KeyHeader, key.Reveal())
	}
	began := time.Now()
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return fail(check, "the proxy does not answer", "see 'avsproxy status'")
	}
	defer resp.Body.Close()
	var said problem.Problem
	switch {
	case resp.Header.Get(problem.Header) != "":
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said) // else the code must do
		return fail(check, fmt.Sprintf("%s: %s: %s", route.Probe, resp.Header.Get(problem.Header), said.Detail), said.Hint)
	case resp.StatusCode >= http.StatusBadRequest:
		return fail(check, fmt.Sprintf("%s is answered with %s", route.Probe, resp.Status), "see 'avsproxy tail' and the inspector for the answer")
	}
	return ok(check, "%s is answered with %s in %s", route.Probe, resp.Status, terminal.Wait(time.Since(began)))
}
