package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/certs"
)

// inMemory is an upstream for tests in a bubble. Connecting takes slow, and so does its
// end of the handshake; then f serves the connection.
func inMemory(t *testing.T, protocol string, slow time.Duration, f func(net.Conn)) *Upstream {
	t.Helper()
	authority, err := certs.New("test")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Leaf(time.Hour, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{protocol}}
	serve := func(raw net.Conn) {
		defer raw.Close()
		time.Sleep(slow)
		conn := tls.Server(raw, conf)
		_ = conn.Handshake() // without it nothing can be read, either
		f(conn)
	}
	return New(Options{
		Origin: &url.URL{Scheme: "https", Host: "localhost"}, Roots: authority.Pool(),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(slow)
			near, far := net.Pipe()
			go serve(far)
			return near, nil
		},
	})
}

// The upstream takes its time at each step, and never says SETTINGS.
func TestDialTimeoutBoundsAllStepsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := inMemory(t, "h2", DialTimeout/3, hang)
		defer u.Close()
		began := time.Now()
		_, err := u.dialLink(func(*pooledConn, error) {})
		if took := time.Since(began); took != DialTimeout-dialGrace || !IsTimeout(err) || !errors.As(err, new(connectError)) {
			t.Errorf("%v after %v", err, took)
		}
	})
}
