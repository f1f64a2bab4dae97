package certs

import (
	"crypto/tls"
	"sync"
	"time"
)

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
