// Package certs is a local certificate authority: a root with critical name
// constraints, which permit local names and the hosts of the routes, and its leaves.
package certs

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// LeafLife is the validity of a leaf that is made on demand. CallbackLife is that of
// the login callback's leaf, so that its browser exception lasts: browsers accept at
// most 398 days.
const (
	LeafLife     = 24 * time.Hour
	CallbackLife = 365 * 24 * time.Hour
	rootLife     = 10 * 365 * 24 * time.Hour
	backdate     = time.Hour // for clients with a slow clock
)

// An Authority signs leaves for local names and its hosts. It is safe for
// concurrent use.
type Authority struct {
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	hosts []string // in canonical form
	added []string // the hosts for which it replaced another one

	unsaved error // why the disk does not have all that this process made; nil = it has
}

// New makes an authority in memory. Its root may sign for "localhost" and its
// subdomains (RFC 5280 section 4.2.1.10), the loopback addresses, and the hosts (names
// with their subdomains, or addresses, without ports); verifiers refuse other leaves.
// It may sign for servers only: constraints on host names do not cover the names of
// other certificates, such as those for mail.
func New(commonName string, hosts ...string) (*Authority, error) {
	hosts, err := canonicalHosts(hosts)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	constrain(template, hosts)
	root, key, err := sign(template, template, nil)
	if err != nil {
		return nil, fmt.Errorf("making the authority's root: %w", err)
	}
	return &Authority{root: root, key: key, hosts: hosts}, nil
}

// sign makes a key, and a certificate for it that parentKey signs, or the key itself if that
// is nil.
func sign(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, cmp.Or(parentKey, key))
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// Leaf makes a server certificate for names (host names or IP addresses), valid for
// life from now. Its chain has the root, so that clients can show who signed it. A
// name that is neither local nor one of the hosts is an error.
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
	template := &x509.Certificate{
		// No host here: RFC 9525 section 2 ends that use, OpenSSL checks it against the
		// constraints on host names even if it is an address, and the limit is 64 bytes.
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
	leaf, key, err := sign(template, a.root, a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %s: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.root.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// signsFor is narrower than the root's constraints, which permit the subdomains of
// each host, and hosts of earlier configurations.
func (a *Authority) signsFor(name string) bool {
	name = canonical(name)
	return isLocal(name) || slices.Contains(a.hosts, name)
}

// Root returns the root certificate.
func (a *Authority) Root() *x509.Certificate { return a.root }

// Unsaved is why something new is in memory only and ends with the process: the disk
// is full. Nil = all is saved.
func (a *Authority) Unsaved() error { return a.unsaved }

// AddedHosts lists the hosts for which [Open] replaced the stored authority. It is
// empty if the stored one is in use, or there was none.
func (a *Authority) AddedHosts() []string { return a.added }

// RootPEM returns the root certificate, without its key.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Pool returns a new pool with this root alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// Fingerprint returns the SHA-256 of a certificate as browsers show it:
// upper-case hex pairs separated by colons.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// ServerConfig serves leaves for "localhost", its subdomains, the loopback addresses
// and the authority's hosts, made on demand for the client's server name (RFC 6066
// section 3). ALPN offers h2 and http/1.1.
func (a *Authority) ServerConfig() *tls.Config {
	minter := &minter{authority: a, leaves: map[string]*tls.Certificate{}}
	return serverConfig(minter.get)
}

// FixedConfig serves one leaf to all clients.
func FixedConfig(leaf *tls.Certificate) *tls.Config {
	return serverConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return leaf, nil })
}

func serverConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1", "http/1.0"}, // the last one is what curl -0 offers
		GetCertificate: get,
	}
}

// maxLeaves limits the cache: its names come from clients.
const maxLeaves = 64

type minter struct {
	authority *Authority
	mu        sync.Mutex
	leaves    map[string]*tls.Certificate
}

func (m *minter) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := m.authority.leafName(hello.ServerName)
	m.mu.Lock()
	defer m.mu.Unlock()
	if leaf := m.leaves[name]; leaf != nil && time.Until(leaf.Leaf.NotAfter) > LeafLife/2 {
		return leaf, nil
	}
	names := []string{name}
	if isLocal(name) {
		names = append(names, "127.0.0.1", "::1")
	}
	leaf, err := m.authority.Leaf(LeafLife, names...)
	if err != nil {
		return nil, err
	}
	if len(m.leaves) >= maxLeaves {
		clear(m.leaves) // new ones are cheap
	}
	m.leaves[name] = leaf
	return leaf, nil
}

// leafName is the name to sign for: "localhost" for other names, and for clients that
// connect to an address and send no name. Such a client refuses the leaf by itself.
func (a *Authority) leafName(asked string) string {
	name := canonical(asked)
	if !a.signsFor(name) {
		return "localhost"
	}
	return name
}
