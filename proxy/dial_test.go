package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/certs"
)

// The upstream takes its time at each step, and never says SETTINGS.
func TestDialTimeoutBoundsAllStepsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, err := certs.New("test")
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := authority.Leaf(time.Hour, "localhost")
		if err != nil {
			t.Fatal(err)
		}
		conf := &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"h2"}}
		u := NewUpstream(UpstreamOptions{
			Origin: &url.URL{Scheme: "https", Host: "localhost"}, Roots: authority.Pool(),
			Dial: func(context.Context, string, string) (net.Conn, error) {
				time.Sleep(dialTimeout / 3)
				near, far := net.Pipe()
				go func() {
					time.Sleep(dialTimeout / 3)
					conn := tls.Server(far, conf)
					_ = conn.Handshake() // then nothing can be read, either
					io.Copy(io.Discard, conn)
					far.Close()
				}()
				return near, nil
			},
		})
		defer u.Close()
		began := time.Now()
		_, err = u.dialLink(func(*link, error) {})
		if took := time.Since(began); took != dialTimeout-dialGrace || !isTimeout(err) || !errors.As(err, new(connectError)) {
			t.Errorf("%v after %v", err, took)
		}
	})
}
