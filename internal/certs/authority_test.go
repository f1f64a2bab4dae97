package certs

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	return testkit.Must(New("test authority"))(t)
}

// leafFor also signs for names that [Authority.Leaf] would refuse, as somebody
// would who has stolen the key.
func leafFor(t *testing.T, authority *Authority, names ...string) *tls.Certificate {
	t.Helper()
	return testkit.Must(authority.leaf(time.Now().Add(-backdate), time.Now().Add(LeafLife), names))(t)
}

// names are what a leaf may and may not be for.
var names = []struct {
	name    string
	allowed bool
}{
	{"localhost", true},
	{"avs.localhost", true},
	{"a.b.localhost", true},
	{"127.0.0.1", true},
	{"127.9.8.7", true},
	{"::1", true},
	{"example.com", false},
	{"localhost.example.com", false},
	{"notlocalhost", false},
	{"api.amazon.com", false},
	{"192.0.2.1", false},
	{"10.0.0.1", false},
	{"::2", false},
	{"2001:db8::1", false},
}

func TestRootIsLimitedToLocalNames(t *testing.T) {
	authority := newAuthority(t)
	for _, n := range names {
		leaf := leafFor(t, authority, n.name)
		_, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), DNSName: n.name})
		if (err == nil) != n.allowed {
			t.Errorf("%s: verified with %v", n.name, err)
		}
		var invalid x509.CertificateInvalidError
		if !n.allowed && (!errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName) {
			t.Errorf("%s: refused for another reason: %v", n.name, err)
		}
	}
}

func TestLeafWithOneForeignNameIsRefused(t *testing.T) {
	authority := newAuthority(t)
	leaf := leafFor(t, authority, "localhost", "example.com")
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), DNSName: "localhost"}); err == nil {
		t.Error("a leaf for localhost and example.com was accepted")
	}
}

func TestFurtherNamesAreAllowedWhereGiven(t *testing.T) {
	authority := testkit.Must(New("test authority", "upstream.example"))(t)
	for name, allowed := range map[string]bool{"upstream.example": true, "localhost": true, "other.example": false} {
		leaf := leafFor(t, authority, name)
		_, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), DNSName: name})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRootSignsServersAndNothingElse(t *testing.T) {
	root := newAuthority(t).root
	if !root.IsCA || !root.MaxPathLenZero || root.MaxPathLen != 0 {
		t.Errorf("CA %v, path length %d (zero %v)", root.IsCA, root.MaxPathLen, root.MaxPathLenZero)
	}
	if !root.PermittedDNSDomainsCritical {
		t.Error("the name constraints are not critical")
	}
	if root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("key usage %b", root.KeyUsage)
	}
	leaf := leafFor(t, newAuthority(t), "localhost").Leaf
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("leaf: CA %v, key usage %b", leaf.IsCA, leaf.KeyUsage)
	}
	authority := newAuthority(t)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageCodeSigning} {
		options := x509.VerifyOptions{Roots: authority.Pool(), KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := leafFor(t, authority, "localhost").Leaf.Verify(options); err == nil {
			t.Errorf("a leaf would do for usage %d", usage)
		}
	}
}

func TestNoIntermediateBelowTheRoot(t *testing.T) {
	above := newAuthority(t)
	below := newAuthority(t)
	template := *below.root
	template.Subject.CommonName = "below"
	der, err := x509.CreateCertificate(rand.Reader, &template, above.root, &below.key.PublicKey, above.key)
	testkit.NoError(t, err)
	if below.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	between := x509.NewCertPool()
	between.AddCert(below.root)
	leaf := leafFor(t, below, "localhost")
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: above.Pool(), Intermediates: between, DNSName: "localhost"}); err == nil {
		t.Error("an authority below the root was accepted")
	}
}

func TestLeafLives(t *testing.T) {
	leaf := leafFor(t, newAuthority(t), "localhost").Leaf
	if left := time.Until(leaf.NotAfter); left > LeafLife || left < LeafLife-time.Minute {
		t.Errorf("it lives for %v", left)
	}
	if age := time.Since(leaf.NotBefore); age < 59*time.Minute || age > 61*time.Minute {
		t.Errorf("it starts %v ago", age)
	}
	if CallbackLife > 398*24*time.Hour {
		t.Error("browsers refuse leaves that live for more than 398 days")
	}
}

func TestLeafNeedsAName(t *testing.T) {
	if _, err := newAuthority(t).Leaf(LeafLife); err == nil {
		t.Error("a leaf without a name was made")
	}
}

func TestSerialNumbersDiffer(t *testing.T) {
	authority := newAuthority(t)
	a, b := leafFor(t, authority, "localhost").Leaf, leafFor(t, authority, "localhost").Leaf
	if a.SerialNumber.Cmp(b.SerialNumber) == 0 || a.SerialNumber.Sign() <= 0 || a.SerialNumber.BitLen() > 159 {
		t.Errorf("serial numbers %v and %v", a.SerialNumber, b.SerialNumber)
	}
}

func TestFingerprintIsWhatBrowsersShow(t *testing.T) {
	leaf := leafFor(t, newAuthority(t), "localhost").Leaf
	got := Fingerprint(leaf)
	sum := sha256.Sum256(leaf.Raw)
	if strings.ReplaceAll(got, ":", "") != strings.ToUpper(hex.EncodeToString(sum[:])) || len(got) != 95 {
		t.Errorf("fingerprint %s", got)
	}
}

func TestRootPEMHoldsNoKey(t *testing.T) {
	block, rest := pem.Decode(newAuthority(t).RootPEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Errorf("RootPEM is %v and %q", block, rest)
	}
}

// openssl is what curl, Python, Ruby and most programs of a Linux system verify with.
func TestOpenSSLKeepsToTheLimit(t *testing.T) {
	openssl := testkit.NeedTool(t, "openssl")
	authority := newAuthority(t)
	dir := t.TempDir()
	root := writePEM(t, dir, "root.pem", authority.root.Raw)
	for _, n := range names {
		leaf := writePEM(t, dir, "leaf.pem", leafFor(t, authority, n.name).Certificate[0])
		check := "-verify_hostname"
		if net.ParseIP(n.name) != nil {
			check = "-verify_ip"
		}
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, check, n.name, leaf).CombinedOutput()
		if (err == nil) != n.allowed {
			t.Errorf("%s: %v\n%s", n.name, err, out)
		}
		if !n.allowed && !strings.Contains(string(out), "permitted subtree violation") {
			t.Errorf("%s: refused for another reason:\n%s", n.name, out)
		}
	}
}

func writePEM(t *testing.T, dir, name string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	testkit.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}
