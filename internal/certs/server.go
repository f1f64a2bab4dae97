package certs

import (
	"crypto/tls"
	"strings"
	"sync"
	"time"
)

// ServerConfig serves leaves for "localhost", its subdomains and the loopback
// addresses, made on demand. ALPN offers h2 and http/1.1.
func (a *Authority) ServerConfig() *tls.Config {
	minter := &minter{authority: a, leaves: map[string]*tls.Certificate{}}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: minter.get,
	}
}

// FixedConfig serves one leaf to everybody.
func FixedConfig(leaf *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{*leaf},
	}
}

// leavesMost bounds the cache: names come from clients.
const leavesMost = 64

type minter struct {
	authority *Authority
	mu        sync.Mutex
	leaves    map[string]*tls.Certificate
}

func (m *minter) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := leafName(hello.ServerName)
	m.mu.Lock()
	defer m.mu.Unlock()
	if leaf := m.leaves[name]; leaf != nil && time.Until(leaf.Leaf.NotAfter) > LeafLife/2 {
		return leaf, nil
	}
	leaf, err := m.authority.Leaf(LeafLife, name, "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	if len(m.leaves) >= leavesMost {
		clear(m.leaves) // making them anew is cheap
	}
	m.leaves[name] = leaf
	return leaf, nil
}

// leafName is the name to sign for. Whatever is no subdomain of localhost gets
// "localhost", as do clients that name an address and so send nothing: it is for
// the client to say that this will not do.
func leafName(asked string) string {
	name := strings.ToLower(asked)
	sub, ok := strings.CutSuffix(name, ".localhost")
	if !ok || len(name) > 253 || strings.Trim(sub, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return "localhost"
	}
	if strings.Contains("."+sub+".", "..") {
		return "localhost"
	}
	return name
}
