// Package certs is a local certificate authority: a root of its own, limited by
// critical name constraints to local names and the hosts it is made for, and leaves
// signed by it.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// LeafLife is how long a leaf lives that is made on demand. CallbackLife is for
// the login callback, whose browser exception should not have to be repeated:
// the longest that browsers accept is 398 days.
const (
	LeafLife     = 24 * time.Hour
	CallbackLife = 365 * 24 * time.Hour
	rootLife     = 10 * 365 * 24 * time.Hour
	backdate     = time.Hour // for clients whose clock is behind
)

// An Authority signs leaves for local names and its hosts. It is safe for
// concurrent use.
type Authority struct {
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	hosts []string // in canonical form
	newTo []string // the hosts that it was made anew for

	unsaved error // why the disk does not have what this process made; nil = it does
}

// New makes an authority that lives in memory only. Its root may sign for
// "localhost" (RFC 5280 section 4.2.1.10: which covers its subdomains), the
// loopback addresses, and the hosts (names, which cover their subdomains, or
// addresses, without ports); verifiers refuse leaves for any other.
// It may sign for servers only: names of other kinds, such as those of mail
// certificates, escape constraints on host names and addresses.
func New(commonName string, hosts ...string) (*Authority, error) {
	hosts, err := canonicalHosts(hosts)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority's key: %w", err)
	}
	template, err := rootTemplate(commonName)
	if err != nil {
		return nil, err
	}
	constrain(template, hosts)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("signing the authority's root: %w", err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back the authority's root: %w", err)
	}
	return &Authority{root: root, key: key, hosts: hosts}, nil
}

func rootTemplate(commonName string) (*x509.Certificate, error) {
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}, nil
}

// Leaf makes a server certificate for names (host names or IP addresses) that
// is valid for life from now. The chain holds the root too, so that a client
// that shows the chain shows who signed it. A name that is neither local nor
// exactly one of the hosts is an error.
func (a *Authority) Leaf(life time.Duration, names ...string) (*tls.Certificate, error) {
	for _, name := range names {
		if !a.signsFor(name) {
			return nil, fmt.Errorf("the local authority does not sign for %q", name)
		}
	}
	now := time.Now()
	return a.leaf(now.Add(-backdate), now.Add(life), names)
}

func (a *Authority) leaf(from, to time.Time, names []string) (*tls.Certificate, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("a certificate needs at least one name")
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for %s: %w", names[0], err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// No name here: RFC 9525 section 2 has done with it, OpenSSL would hold an
		// address against the constraints on host names, and 64 bytes are the limit.
		Subject:     pkix.Name{CommonName: "avsproxy"},
		NotBefore:   from,
		NotAfter:    to,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", names[0], err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back the certificate for %s: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.root.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// Root returns the root certificate.
func (a *Authority) Root() *x509.Certificate { return a.root }

// Unsaved is why something that was made anew serves from memory alone, and ends
// with the process: the disk is full. Nil = all of it is saved.
func (a *Authority) Unsaved() error { return a.unsaved }

// NewTo lists the hosts for which [Open] had to make the authority anew. It is
// empty where the stored one was kept, and where there was none before.
func (a *Authority) NewTo() []string { return a.newTo }

// RootPEM returns the root certificate, without its key.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Pool returns a fresh pool that trusts this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// Fingerprint returns the SHA-256 of a certificate as browsers show it:
// upper-case hex pairs separated by colons.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

func serialNumber() (*big.Int, error) {
	// RFC 5280 section 4.1.2.2: positive and at most 20 octets; 127 random bits are both.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil
}
