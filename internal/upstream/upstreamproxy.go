package upstream

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	socks "golang.org/x/net/proxy"
)

// proxyHeadMost bounds a proxy's answer to CONNECT, in bytes.
const proxyHeadMost = 64 << 10

// A connectProxy proxy is the only way out of its network.
type connectProxy struct {
	url    *url.URL
	dialer dialFunc       // connects to the proxy, or refuses its address
	roots  *x509.CertPool // verify a proxy that is spoken to over TLS
}

// proxyPorts are the ports of proxies whose URL has none.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// dial connects to addr, whose name is for the proxy to resolve.
func (c connectProxy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	port, known := proxyPorts[c.url.Scheme]
	if !known {
		return nil, errors.New("a proxy of an unknown kind")
	}
	at := net.JoinHostPort(c.url.Hostname(), cmp.Or(c.url.Port(), port))
	if strings.HasPrefix(c.url.Scheme, "socks5") {
		return c.dialSOCKS(ctx, network, at, addr)
	}
	raw, err := c.dialer(ctx, network, at)
	if err != nil {
		return nil, err
	}
	unbind := context.AfterFunc(ctx, func() { raw.Close() })
	conn, err := c.connect(ctx, raw, addr)
	if !unbind() {
		err = ctx.Err() // and whatever else went wrong did so because of that
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// connect makes raw a tunnel to addr (RFC 9110 section 9.3.6).
func (c connectProxy) connect(ctx context.Context, raw net.Conn, addr string) (net.Conn, error) {
	conn := raw
	if c.url.Scheme == "https" {
		secured := tls.Client(raw, &tls.Config{
			RootCAs: c.roots, ServerName: c.url.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		})
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secured
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": {"avsproxy"}}}
	if c.url.User != nil {
		password, _ := c.url.User.Password()
		pair := c.url.User.Username() + ":" + password
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	// Byte by byte, so that what stands behind the head stays in the connection.
	head := &io.LimitedReader{R: byteReader{conn}, N: proxyHeadMost}
	resp, err := http.ReadResponse(bufio.NewReader(head), req)
	if err != nil && head.N <= 0 {
		err = errors.New("malformed: a head without end")
	}
	if err != nil {
		return nil, err
	}
	return conn, ProxyRefusal(resp.StatusCode)
}

// dialSOCKS is RFC 1928, with RFC 1929's user names.
func (c connectProxy) dialSOCKS(ctx context.Context, network, at, addr string) (net.Conn, error) {
	var auth *socks.Auth
	if c.url.User != nil {
		password, _ := c.url.User.Password()
		auth = &socks.Auth{User: c.url.User.Username(), Password: password}
	}
	dialer, err := socks.SOCKS5(network, at, auth, c.dialer)
	if err != nil {
		return nil, err
	}
	conn, err := dialer.(socks.ContextDialer).DialContext(ctx, network, addr)
	switch _, why, refused := strings.Cut(fmt.Sprint(err), "unknown error "); {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case refused: // one of RFC 1928's replies
		return nil, refusal(why)
	case hasAny(err, "authentication"):
		return nil, errProxyAuth
	}
	return nil, err
}

// A byteReader reads no further than it must.
type byteReader struct{ io.Reader }

// Read implements [io.Reader].
func (r byteReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1)]) }

// A proxyError says that no connection came about because of the proxy on the way.
type proxyError struct{ error }

// Unwrap returns the cause.
func (e proxyError) Unwrap() error { return e.error }

// Error says what describeProxy does: other texts may hold the proxy's own words.
func (e proxyError) Error() string {
	detail, _ := describeProxy(e.error)
	return detail
}

var errProxyAuth = errors.New("it wants a user name and password")

// A refusal is why a proxy does not connect.
type refusal string

// Error returns the reason.
func (r refusal) Error() string { return string(r) }

// ProxyRefusal returns what is wrong when a proxy answers a CONNECT with status;
// nil = nothing.
func ProxyRefusal(status int) error {
	switch {
	case status == http.StatusProxyAuthRequired:
		return proxyError{errProxyAuth}
	case status/100 != 2:
		return proxyError{refusal(fmt.Sprintf("status %d", status))}
	}
	return nil
}

// describeProxy is [Describe] for what went wrong on the way to the upstream.
func describeProxy(err error) (detail, hint string) {
	const it = "the proxy that HTTPS_PROXY names "
	var why refusal
	switch {
	case errors.Is(err, errProxyAuth):
		return it + "wants a user name and password", "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT; Basic is all that can be used, and special characters are percent-encoded"
	case errors.As(err, &why):
		return it + "did not connect to it (" + string(why) + ")", "ask for this host to be let through; NO_PROXY names the hosts that are reached without a proxy"
	}
	if detail, hint = Describe(err); IsTimeout(err) {
		detail = "no answer in time"
	}
	if !errors.As(err, new(x509.UnknownAuthorityError)) { // whose hint holds for both
		hint = "check HTTPS_PROXY and the network; NO_PROXY names the hosts that are reached without a proxy"
	}
	return "no way through " + it[:len(it)-1] + ": " + detail, hint
}
