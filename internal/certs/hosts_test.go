package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestARootIsKeptForAsLongAsItCoversTheHosts(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, "api.example.com", "B.example.org.", "192.0.2.7", "localhost", "avs.localhost", "api.example.com")
	if len(first.AddedHosts()) != 0 {
		t.Errorf("the first one is called new to %v", first.AddedHosts())
	}
	for _, hosts := range [][]string{
		{"b.example.org", "api.example.com", "192.0.2.7"}, {"API.example.com"}, {"below.api.example.com"}, {"::ffff:192.0.2.7"}, {"127.0.0.9"}, nil,
	} {
		if again := open(t, dir, hosts...); !again.root.Equal(first.root) || len(again.AddedHosts()) != 0 {
			t.Errorf("%v: another root, new to %v", hosts, again.AddedHosts())
		}
	}
}

func TestANewHostBringsANewRoot(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, "a.example", "192.0.2.7")
	second := open(t, dir, "a.example", "xa.example", "2001:db8::1")
	if second.key.Equal(first.key) || second.root.Equal(first.root) || !slices.Equal(second.AddedHosts(), []string{"2001:db8::1", "xa.example"}) {
		t.Errorf("new to %v", second.AddedHosts())
	}
	if content(t, dir)[RootFile] != string(second.RootPEM()) {
		t.Error("the root's file is not the new root")
	}
	if third := open(t, dir, "xa.example"); !third.root.Equal(second.root) || !third.key.Equal(second.key) {
		t.Error("the new root was not kept")
	}
	if fourth := open(t, dir, "a.example", "192.0.2.7"); len(fourth.AddedHosts()) != 0 {
		t.Errorf("configurations that share the folder take turns: new to %v", fourth.AddedHosts())
	}
}

// The two writes of a replacement, interrupted after each step.
func TestInterruptedReplacementDoesNoDamage(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, "a.example")
	root := filepath.Join(dir, RootFile)
	testkit.NoError(t, os.Remove(root)) // before the new key
	if again := open(t, dir, "a.example"); !again.root.Equal(first.root) {
		t.Error("the old root did not come back")
	}
	second := open(t, dir, "b.example")
	testkit.NoError(t, os.Remove(root)) // before the new root
	if again := open(t, dir, "b.example"); !again.root.Equal(second.root) || content(t, dir)[RootFile] != string(second.RootPEM()) {
		t.Error("the new root did not come back")
	}
}

func TestACallbackOfTheFormerRootIsReplaced(t *testing.T) {
	dir := t.TempDir()
	first := callback(t, dir, time.Now())
	authority := open(t, dir, "a.example")
	leaf := testkit.Must(authority.Callback(dir))(t)
	if Fingerprint(leaf.Leaf) == first {
		t.Error("it was kept")
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), DNSName: "localhost"}); err != nil {
		t.Error(err)
	}
}

func TestLeavesAreForExactlyTheHosts(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, "old.example")
	authority := open(t, dir, "api.example.com", "192.0.2.7")
	for name, allowed := range map[string]bool{
		"api.example.com": true, "API.example.com": true, "192.0.2.7": true, "localhost": true, "x.localhost": true, "127.1.2.3": true, "::1": true,
		"below.api.example.com": false, "example.com": false, "old.example": false, "192.0.2.8": false, "": false, "*.localhost": false, ".localhost": false,
	} {
		if _, err := authority.Leaf(LeafLife, "localhost", name); (err == nil) != allowed {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestInvalidHostsAreRefused(t *testing.T) {
	for _, host := range []string{"", ".", "*.example.com", ".example.com", "a..b", "api.example.com:443", "ä.example", "a b"} {
		dir := filepath.Join(t.TempDir(), "state")
		if _, err := Open(dir, host); err == nil {
			t.Errorf("%q was accepted", host)
		}
		if _, err := New("test", host); err == nil {
			t.Errorf("New: %q was accepted", host)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%q: something was written", host)
		}
	}
}

func TestServerConfigServesTheHosts(t *testing.T) {
	authority := testkit.Must(New("test", "api.example.com", "192.0.2.7"))(t)
	addr := serve(t, authority.ServerConfig())
	for name, allowed := range map[string]bool{"api.example.com": true, "below.api.example.com": false, "example.org": false, "localhost": true} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: authority.Pool(), ServerName: name})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if names := conn.ConnectionState().PeerCertificates[0].DNSNames; !slices.Equal(names, []string{name}) {
				t.Errorf("%s: a leaf for %v", name, names)
			}
			conn.Close()
		}
	}
	leaf, err := authority.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "192.0.2.7"})
	if err != nil || !leaf.Leaf.IPAddresses[0].Equal(net.IPv4(192, 0, 2, 7)) {
		t.Errorf("the address: %v", err)
	}
}

// The constraints hold in OpenSSL too, whatever somebody with the key signs.
func TestOpenSSLKeepsToTheHosts(t *testing.T) {
	openssl := testkit.NeedTool(t, "openssl")
	authority := testkit.Must(New("test", "api.example.com", "192.0.2.7", "2001:db8::7"))(t)
	dir := t.TempDir()
	root := writePEM(t, dir, "root.pem", authority.root.Raw)
	for name, allowed := range map[string]bool{
		"api.example.com": true, "192.0.2.7": true, "2001:db8::7": true, "localhost": true,
		"example.com": false, "xapi.example.com": false, "192.0.2.8": false, "2001:db8::8": false,
	} {
		leaf := writePEM(t, dir, "leaf.pem", leafFor(t, authority, name).Certificate[0])
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, leaf).CombinedOutput()
		if (err == nil) != allowed {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
