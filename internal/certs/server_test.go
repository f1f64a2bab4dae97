package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// serve answers over TLS with the configuration. It is no httptest server: those
// bring a certificate of their own for clients that name an address.
func serve(t *testing.T, conf *tls.Config) (addr string) {
	t.Helper()
	ln := testkit.Must(tls.Listen("tcp", "127.0.0.1:0", conf))(t)
	server := &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }),
		ErrorLog: log.New(io.Discard, "", 0), // refused handshakes are part of the tests
	}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return ln.Addr().String()
}

func TestServerConfigServesByName(t *testing.T) {
	authority := newAuthority(t)
	addr := serve(t, authority.ServerConfig())
	for _, name := range []string{"localhost", "avs.localhost", "AVS.LocalHost", "127.0.0.1", "::1"} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: authority.Pool(), ServerName: name, NextProtos: []string{"h2"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		state := conn.ConnectionState()
		leaf := state.PeerCertificates[0]
		if life := leaf.NotAfter.Sub(leaf.NotBefore); life != LeafLife+backdate {
			t.Errorf("%s: the leaf lives for %v", name, life)
		}
		if state.NegotiatedProtocol != "h2" || len(state.PeerCertificates) != 2 {
			t.Errorf("%s: protocol %q, chain of %d", name, state.NegotiatedProtocol, len(state.PeerCertificates))
		}
		conn.Close()
	}
	if conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: authority.Pool(), ServerName: "example.com"}); err == nil {
		conn.Close()
		t.Error("example.com was accepted")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	authority := newAuthority(t)
	for _, conf := range []*tls.Config{authority.ServerConfig(), FixedConfig(leafFor(t, authority, "localhost"))} {
		addr := serve(t, conf)
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
		if err == nil {
			conn.Close()
			t.Error("TLS 1.1 was accepted")
		}
	}
}

func TestFixedConfigServesOneLeaf(t *testing.T) {
	authority := newAuthority(t)
	leaf := leafFor(t, authority, "localhost", "127.0.0.1", "::1")
	addr := serve(t, FixedConfig(leaf))
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: authority.Pool(), ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !conn.ConnectionState().PeerCertificates[0].Equal(leaf.Leaf) {
			t.Errorf("%s: another leaf", name)
		}
		conn.Close()
	}
}

func TestCurlKeepsToTheLimit(t *testing.T) {
	curl := testkit.NeedTool(t, "curl")
	authority := newAuthority(t)
	root := writePEM(t, t.TempDir(), "root.pem", authority.root.Raw)
	for _, n := range names {
		leaf := leafFor(t, authority, n.name)
		_, port, _ := net.SplitHostPort(serve(t, FixedConfig(leaf)))
		host := n.name
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		connect := fmt.Sprintf("::127.0.0.1:%s", port) // whatever the URL names
		out, err := exec.Command(curl, "-sS", "--noproxy", "*", "--max-time", "10", "--cacert", root,
			"--connect-to", connect, "https://"+host+":"+port+"/").CombinedOutput()
		if (err == nil) != n.allowed {
			t.Errorf("%s: %v\n%s", n.name, err, out)
		}
	}
}

func get(t *testing.T, m *minter, name string) *tls.Certificate {
	t.Helper()
	return testkit.Must(m.get(&tls.ClientHelloInfo{ServerName: name}))(t)
}

func newMinter(t *testing.T) *minter {
	return &minter{authority: newAuthority(t), leaves: map[string]*tls.Certificate{}}
}

func TestLeavesAreKeptAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		first := get(t, m, "avs.localhost")
		time.Sleep(LeafLife/2 - time.Minute)
		if get(t, m, "AVS.localhost") != first {
			t.Error("a leaf was not kept for half its life")
		}
		time.Sleep(2 * time.Minute)
		second := get(t, m, "avs.localhost")
		if second == first {
			t.Error("a leaf was served past half its life")
		}
		if left := time.Until(second.Leaf.NotAfter); left != LeafLife.Truncate(time.Second) {
			t.Errorf("the new one lives for %v", left)
		}
	})
}

func TestLeafCacheIsBounded(t *testing.T) {
	m := newMinter(t)
	for i := range 3 * maxLeaves {
		get(t, m, fmt.Sprintf("n%d.localhost", i))
		if len(m.leaves) > maxLeaves {
			t.Fatalf("%d leaves are kept", len(m.leaves))
		}
	}
}

func TestStrangeNamesGetTheCommonLeaf(t *testing.T) {
	m := newMinter(t)
	for _, name := range []string{
		"", "example.com", "localhost.example.com", ".localhost", "a..localhost", "..localhost", "*.localhost", "a b.localhost", "a\x00.localhost",
		"ä.localhost", strings.Repeat("a.", 130) + "localhost", strings.Repeat("x", 60_000) + ".localhost",
	} {
		if leaf := get(t, m, name); leaf.Leaf.DNSNames[0] != "localhost" {
			t.Errorf("%.40q got a leaf for %q", name, leaf.Leaf.DNSNames)
		}
	}
	if len(m.leaves) != 1 {
		t.Errorf("%d leaves were made", len(m.leaves))
	}
}

func TestManyHandshakesAtOnce(t *testing.T) {
	authority := newAuthority(t)
	addr := serve(t, authority.ServerConfig())
	ended := make(chan error)
	for i := range 40 {
		go func() {
			dialer := tls.Dialer{Config: &tls.Config{RootCAs: authority.Pool(), ServerName: fmt.Sprintf("n%d.localhost", i%3)}}
			conn, err := dialer.DialContext(context.Background(), "tcp", addr)
			if err == nil {
				err = conn.Close()
			}
			ended <- err
		}()
	}
	for range 40 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
