package app

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/exchange"
)

// An ownCall is something that the proxy asks for by itself. Times, address, status and outcome of it are
// recorded, and never fields, bodies or queries, which have codes and tokens in them.
type ownCall struct {
	kind, route, credential string
	recorder                *capture.Recorder // nil = nothing is recorded
}

// do sends req, and records what becomes of it.
func (o ownCall) do(req *http.Request, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	began := time.Now()
	e := o.recorder.Begin(capture.Request{
		Own: o.kind, Route: o.route, Method: req.Method, Scheme: req.URL.Scheme, Host: cmp.Or(req.URL.Host, req.Host),
		Target: req.URL.EscapedPath(), Began: began, NoBody: true,
	})
	e.WithoutBodies()
	facts := exchange.Facts{Route: o.route, Credential: o.credential, Began: began, TokenAge: -1, TokenLeft: -1}
	resp, err := send(req)
	facts.FirstByte = time.Since(began)
	if err != nil {
		facts.Took, facts.FirstByte, facts.Ended = facts.FirstByte, 0, charset.Printable(api.WithoutQuery(err))
		e.End(facts, nil)
		return nil, err
	}
	facts.Status, facts.Upstream.Proto = resp.StatusCode, resp.Proto
	facts.Lasts = o.kind == capture.OwnDownchannel
	e.Response(facts, nil)
	resp.Body = &ownBody{ReadCloser: resp.Body, looks: isProviderCall(o.kind) && resp.StatusCode >= 400, end: func(size int64, start []byte, err error) {
		facts.Took, facts.Written, facts.Error = time.Since(began), size, oauthError(start)
		if err != nil {
			facts.Ended = charset.Printable(api.WithoutQuery(err))
		}
		e.End(facts, nil)
	}}
	return resp, nil
}

func isProviderCall(kind string) bool {
	return slices.Contains([]string{capture.OwnLogin, capture.OwnRenewal, capture.OwnProvider}, kind)
}

// An ownBody is the answer to a call, which ends once.
type ownBody struct {
	io.ReadCloser
	looks bool // for an error
	end   func(size int64, start []byte, err error)
	size  int64
	start []byte
	once  sync.Once
}

// maxLooked bounds what is looked at of an answer.
const maxLooked = 16 << 10

// Read implements [io.Reader].
func (b *ownBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.size += int64(n)
	if b.looks {
		b.start = append(b.start, p[:min(n, maxLooked-len(b.start))]...)
	}
	if err == io.EOF {
		b.ended(nil)
	} else if err != nil {
		b.ended(err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *ownBody) Close() error {
	err := b.ReadCloser.Close()
	b.ended(nil)
	return err
}

func (b *ownBody) ended(err error) { b.once.Do(func() { b.end(b.size, b.start, err) }) }

// oauthErrors are what providers answer (RFC 6749 section 5.2, RFC 8628 section 3.5). Other words are not
// recorded: they could be anything.
var oauthErrors = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"authorization_pending", "slow_down", "access_denied", "expired_token", "temporarily_unavailable", "server_error",
}

func oauthError(body []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || !slices.Contains(oauthErrors, said.Error) {
		return ""
	}
	return said.Error
}

// A providerCalls records the calls of a credential's client.
type providerCalls struct {
	name     string
	next     http.RoundTripper
	recorder *capture.Recorder
	ready    *atomic.Bool // false while the proxy logs itself in to its sandbox
}

// recordProvider has the calls of a credential's client recorded, once the server is ready.
func (s *Server) recordProvider(c *Credential) {
	if c.Client == nil || s.capture.recorder == nil {
		return
	}
	client := *c.Client.HTTP
	client.Transport = &providerCalls{c.Conf.Name, cmp.Or(client.Transport, http.DefaultTransport), s.capture.recorder, &s.ready}
	c.Client.HTTP = &client
}

// RoundTrip implements [http.RoundTripper].
func (p *providerCalls) RoundTrip(req *http.Request) (*http.Response, error) {
	if !p.ready.Load() {
		return p.next.RoundTrip(req)
	}
	return ownCall{kind: kindOfCall(req), credential: p.name, recorder: p.recorder}.do(req, p.next.RoundTrip)
}

// kindOfCall goes by the grant that is asked for.
func kindOfCall(req *http.Request) string {
	if req.GetBody == nil {
		return capture.OwnProvider
	}
	body, err := req.GetBody()
	if err != nil {
		return capture.OwnProvider
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxLooked))
	form, _ := url.ParseQuery(string(text))
	switch form.Get("grant_type") {
	case "authorization_code", "device_code", "urn:ietf:params:oauth:grant-type:device_code":
		return capture.OwnLogin
	case "refresh_token", "client_credentials":
		return capture.OwnRenewal
	}
	return capture.OwnProvider
}

// A sender sends a request of a route's own.
type sender = func(*exchange.Exchange, *http.Request) (*http.Response, error)

// recorded is send with a record of each request.
func (b *routeBuilder) recorded(kind string, send sender) sender {
	call := ownCall{kind: kind, route: b.route.Name, credential: b.route.Credential, recorder: b.observers.recorder}
	return func(x *exchange.Exchange, req *http.Request) (*http.Response, error) {
		return call.do(req, func(req *http.Request) (*http.Response, error) { return send(x, req) })
	}
}
