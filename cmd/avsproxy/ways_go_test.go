package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"avsproxy/internal/testkit"
)

// goWays are those in which the connection to the proxy is HTTP/2 and CONNECT is a
// stream of it.
func (d *doorway) goWays() []way {
	api, plain := "https://"+insisted, "http://"+insisted
	clear, secure := protocols("h2c"), protocols("h2")
	return []way{
		d.inStream("HTTP/2 CONNECT, h2", "https", secure, api, secure),
		d.inStream("HTTP/2 CONNECT, http/1.1", "https", secure, api, protocols("http/1.1")),
		d.inStream("HTTP/2 CONNECT, clear", "https", secure, plain, protocols("http/1.1")),
		d.inStream("HTTP/2 CONNECT, clear h2c", "https", secure, plain, clear),
		d.inStream("h2c CONNECT, h2", "http", clear, api, secure),
		d.inStream("h2c CONNECT, http/1.1", "http", clear, api, protocols("http/1.1")),
		d.inStream("h2c CONNECT, clear", "http", clear, plain, protocols("http/1.1")),
	}
}

// protocols is the set with one member.
func protocols(name string) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(name == "http/1.1")
	p.SetHTTP2(name == "h2")
	p.SetUnencryptedHTTP2(name == "h2c")
	return p
}

// inStream is the way through a CONNECT that is a stream of HTTP/2.
func (d *doorway) inStream(name, scheme string, outer *http.Protocols, base string, inner *http.Protocols) way {
	return way{name: name, ask: func(t *testing.T, q question) *reply {
		conf := &tls.Config{RootCAs: trusted(t, d.root)}
		toProxy := &http.Transport{TLSClientConfig: conf, Protocols: outer, DisableCompression: true}
		toAPI := &http.Transport{TLSClientConfig: conf.Clone(), Protocols: inner, DisableCompression: true}
		toAPI.DialContext = func(ctx context.Context, _, target string) (net.Conn, error) {
			return openStream(toProxy, &url.URL{Scheme: scheme, Host: "localhost:" + d.port}, target)
		}
		t.Cleanup(toProxy.CloseIdleConnections)
		t.Cleanup(toAPI.CloseIdleConnections)
		return roundTrip(t, toAPI, base, q)
	}}
}

func trusted(t testing.TB, root string) *x509.CertPool {
	t.Helper()
	return testkit.PoolOf(t, testkit.Must(os.ReadFile(root))(t))
}

// A streamConn is what a CONNECT made of a stream.
type streamConn struct {
	net.Conn // nil: only what is below is used
	io.ReadCloser
	io.WriteCloser
}

func (c streamConn) Read(p []byte) (int, error)  { return c.ReadCloser.Read(p) }
func (c streamConn) Write(p []byte) (int, error) { return c.WriteCloser.Write(p) }

// Close ends both directions.
func (c streamConn) Close() error {
	c.WriteCloser.Close()
	return c.ReadCloser.Close()
}

func openStream(through *http.Transport, proxy *url.URL, target string) (net.Conn, error) {
	up, write := io.Pipe()
	resp, err := through.RoundTrip(&http.Request{Method: http.MethodConnect, URL: proxy, Host: target, Header: http.Header{}, Body: up, ContentLength: -1})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		resp.Body.Close()
		return nil, fmt.Errorf("CONNECT: %s %s", resp.Proto, resp.Status)
	}
	pipe, _ := net.Pipe() // lends deadlines and addresses
	return streamConn{pipe, resp.Body, write}, nil
}

// roundTrip begins an exchange of Go's client.
func roundTrip(t *testing.T, through *http.Transport, base string, q question) *reply {
	t.Helper()
	ctx, hangUp := context.WithCancel(testkit.Context(t))
	r := &reply{end: func() error { return nil }, hangUp: hangUp}
	var up io.Reader
	if q.upload {
		up, r.upload = io.Pipe()
	}
	request := testkit.Must(http.NewRequestWithContext(ctx, q.method, base+q.target, up))(t)
	request.Header = q.header
	body, answered := io.Pipe()
	r.body = body
	r.hangUp = func() {
		hangUp()
		body.Close() // who copies may be about to write a piece that nobody reads
	}
	var resp *http.Response
	go func() {
		defer hangUp()
		var err error
		if resp, err = through.RoundTrip(request); err == nil {
			_, err = io.Copy(answered, resp.Body)
			resp.Body.Close()
		}
		answered.CloseWithError(err)
	}()
	r.head = func() (int, http.Header) { return resp.StatusCode, resp.Header.Clone() }
	return r
}
