package certs

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"avsproxy/internal/durable"

	"github.com/gofrs/flock"
)

// RootFile is the name of the root certificate in the state folder; its key lies
// beside it, readable by its owner alone.
const (
	RootFile     = "ca.pem"
	rootKeyFile  = "ca-key.pem"
	callbackFile = "callback.pem"
)

// renewBefore is how long before its end the callback's leaf is replaced.
const renewBefore = 30 * 24 * time.Hour

// Open returns the authority whose files are in dir, making it the first time.
// Files that are there and cannot be used are an error, never overwritten: a
// person may have told a browser to trust them.
func Open(dir string) (*Authority, error) {
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "ca.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("locking the certificate authority: %w", err)
	}
	defer lock.Close()
	authority, err := load(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return authority, err
	}
	host, _ := os.Hostname()
	if authority, err = New("avsproxy local authority " + host); err != nil {
		return nil, err
	}
	return authority, authority.save(dir)
}

func load(dir string) (*Authority, error) {
	pair, err := loadPair(filepath.Join(dir, RootFile), filepath.Join(dir, rootKeyFile))
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, unusable(filepath.Join(dir, RootFile))
	}
	return &Authority{root: pair.Leaf, key: key}, nil
}

// loadPair returns fs.ErrNotExist only where both files are missing.
func loadPair(certFile, keyFile string) (*tls.Certificate, error) {
	cert, certErr := os.ReadFile(certFile)
	key, keyErr := os.ReadFile(keyFile)
	switch {
	case errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case certErr != nil || keyErr != nil:
		return nil, fmt.Errorf("the local authority is incomplete: %w; put the missing file back, or move both away to have a new one made",
			errors.Join(certErr, keyErr))
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, unusable(certFile)
	}
	return &pair, nil
}

func unusable(file string) error {
	return fmt.Errorf("%s and its key are damaged or do not belong together; move both away to have new ones made", file)
}

func (a *Authority) save(dir string) error {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("writing the authority's key: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, rootKeyFile), pemBlock("PRIVATE KEY", key), 0o600); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, RootFile), a.RootPEM(), 0o644)
}

// Callback returns the leaf of the login callback. It is kept in dir for up to a
// year, so that an exception a person made in a browser stays valid.
func (a *Authority) Callback(dir string) (*tls.Certificate, error) {
	path := filepath.Join(dir, callbackFile)
	if pair, err := loadPair(path, path); err == nil && a.stillGood(pair) {
		return pair, nil
	}
	pair, err := a.Leaf(CallbackLife, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("writing the callback's key: %w", err)
	}
	text := pemBlock("PRIVATE KEY", key)
	for _, der := range pair.Certificate {
		text = append(text, pemBlock("CERTIFICATE", der)...)
	}
	return pair, durable.WriteFile(path, text, 0o600)
}

func (a *Authority) stillGood(pair *tls.Certificate) bool {
	_, err := pair.Leaf.Verify(x509.VerifyOptions{
		Roots: a.Pool(), DNSName: "localhost", CurrentTime: time.Now().Add(renewBefore),
	})
	return err == nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
