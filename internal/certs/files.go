package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"avsproxy/internal/durable"
)

// RootFile is the name of the root certificate in the state folder; its key lies
// beside it, readable by its owner alone.
const (
	RootFile     = "ca.pem"
	rootKeyFile  = "ca-key.pem" // the root too, so that the two can never be torn apart
	callbackFile = "callback.pem"
	// LockFile is the name of the file that is locked while the others are written.
	LockFile = "ca.lock"
)

const (
	fileMost = 1 << 20          // bytes of one file
	lockMost = 10 * time.Second // for the work of another process, on a slow disk
)

// renewBefore is how long before its end the callback's leaf is replaced.
const renewBefore = 30 * 24 * time.Hour

// Open returns the authority whose files are in dir, making it the first time.
// It signs for local names and the hosts (see [New]). A stored root that does not
// permit all of them is made anew, with a new key, which [Authority.NewTo] tells;
// hosts of the old one stay permitted, so that configurations which share the
// folder do not take turns at that, and those that are asked for no more cost
// nothing.
//
// On a full disk an authority that would have to be saved serves from memory, which
// [Authority.Unsaved] tells.
//
// Files that are there and cannot be used are an error, never overwritten: a
// person may have told a browser to trust them. A missing [RootFile] is written
// again from the key's file, since a crash may have come between the two.
func Open(dir string, hosts ...string) (*Authority, error) {
	hosts, err := canonicalHosts(hosts)
	if err != nil {
		return nil, err
	}
	authority, err := kept(dir, hosts)
	if durable.Full(err) {
		full := err
		if authority, err = New(rootName(), hosts...); err == nil {
			authority.unsaved = full
		}
	}
	return authority, err
}

// kept is the authority that the folder has, or has from now on.
func kept(dir string, hosts []string) (*Authority, error) {
	unlock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	authority, err := load(dir)
	switch {
	case errors.Is(err, errNoAuthority):
		authority, err = New(rootName(), hosts...)
	case err == nil:
		authority, err = authority.serving(dir, hosts)
	}
	if err != nil {
		return nil, err
	}
	return authority, authority.save(dir)
}

// rootName is for people who look at a list of authorities; a host name that is
// not to be had does no harm.
func rootName() string {
	host, _ := os.Hostname()
	return "avsproxy local authority " + host
}

// serving returns the authority, or its successor, with hosts that it signs for.
func (a *Authority) serving(dir string, hosts []string) (*Authority, error) {
	a.hosts = hosts
	missing := beyond(a.root, hosts)
	if len(missing) == 0 {
		return a, nil
	}
	next, err := New(rootName(), append(permitted(a.root), hosts...)...)
	if err != nil {
		return nil, err
	}
	next.hosts, next.newTo = hosts, missing
	return next, next.replace(dir)
}

// lockFolder keeps other processes from making files at the same time, and removes
// what killed ones left half written.
func lockFolder(dir string) (unlock func(), err error) {
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, LockFile)
	ctx, cancel := context.WithTimeout(context.Background(), lockMost)
	defer cancel()
	unlock, err = durable.Lock(ctx, path, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("another process has held the lock %s for more than %v; end that process", path, lockMost)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the certificate authority: %w", err)
	}
	for _, name := range []string{RootFile, rootKeyFile, callbackFile} {
		for _, left := range durable.Leftovers(filepath.Join(dir, name)) {
			_ = os.Remove(left) // a killed process's: the others write with the lock alone
		}
	}
	return unlock, nil
}

var errNoAuthority = errors.New("no local authority was made yet")

func load(dir string) (*Authority, error) {
	rootPath, keyPath := filepath.Join(dir, RootFile), filepath.Join(dir, rootKeyFile)
	key, keyErr := durable.ReadFile(keyPath, fileMost)
	root, rootErr := durable.ReadFile(rootPath, fileMost)
	noKey, noRoot := errors.Is(keyErr, fs.ErrNotExist), errors.Is(rootErr, fs.ErrNotExist)
	switch {
	case noKey && noRoot:
		return nil, errNoAuthority
	case noKey:
		return nil, fmt.Errorf("%s is missing beside %s; put it back, or move the other away too to have both made anew", keyPath, rootPath)
	case keyErr != nil:
		return nil, fmt.Errorf("the local authority's key cannot be used: %w; check its owner and mode, or move it and %s away to have both made anew", keyErr, RootFile)
	case rootErr != nil && !noRoot:
		return nil, fmt.Errorf("the local authority's root cannot be used: %w; check its owner and mode, or move it away to have it written again", rootErr)
	}
	if err := checkPrivate(keyPath); err != nil {
		return nil, err
	}
	if noRoot {
		root = key
	}
	return parse(root, key, rootPath)
}

func parse(root, key []byte, path string) (*Authority, error) {
	pair, err := tls.X509KeyPair(root, key)
	if err == nil && pair.Leaf.IsCA {
		if signer, ok := pair.PrivateKey.(*ecdsa.PrivateKey); ok {
			return &Authority{root: pair.Leaf, key: signer}, nil
		}
	}
	// The cause is left out: it tells nothing that would help, and parsers may quote.
	return nil, fmt.Errorf("%s and %s are damaged or do not belong together; put a backup in their place, or move both away to have new ones made",
		path, rootKeyFile)
}

// checkPrivate refuses a key that others have or may have read, as ssh does.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if uid, known := durable.Owner(info); known && uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d), who can sign with it; move it and %s away to have both made anew", path, uid, RootFile)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("%s can be used by others (mode %#o); if nobody had it: chmod 600 %s, else move it and %s away", path, mode, path, RootFile)
	}
	return nil
}

// replace puts the authority into the place of the one in dir. The old root goes
// first: a crash then leaves a key's file alone, old or new, which is enough to go
// on from, and never a key beside a root that is not its own.
func (a *Authority) replace(dir string) error {
	text, err := keyText(a.key, a.root.Raw)
	if err != nil {
		return err
	}
	key, err := durable.Prepare(filepath.Join(dir, rootKeyFile), text, 0o600)
	if err != nil {
		return fmt.Errorf("saving the authority's new key: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, RootFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the authority's old root: %w", err)
	}
	if err := key.Commit(); err != nil {
		return fmt.Errorf("saving the authority's new key: %w", err)
	}
	return nil
}

// save writes what is not there yet. The key's file alone is enough to go on
// from, so it comes first.
func (a *Authority) save(dir string) error {
	keyPath := filepath.Join(dir, rootKeyFile)
	if _, err := os.Lstat(keyPath); errors.Is(err, fs.ErrNotExist) {
		text, err := keyText(a.key, a.root.Raw)
		if err != nil {
			return err
		}
		if err := durable.WriteFile(keyPath, text, 0o600); err != nil {
			return fmt.Errorf("saving the authority's key: %w", err)
		}
	}
	rootPath := filepath.Join(dir, RootFile)
	if _, err := os.Lstat(rootPath); errors.Is(err, fs.ErrNotExist) {
		if err := durable.WriteFile(rootPath, a.RootPEM(), 0o644); err != nil {
			return fmt.Errorf("saving the authority's root: %w", err)
		}
	}
	return nil
}

// Callback returns the leaf of the login callback. It is kept in dir for up to a
// year, so that an exception a person made in a browser stays valid. One that
// cannot be used is replaced: nothing but such an exception hangs on it.
func (a *Authority) Callback(dir string) (*tls.Certificate, error) {
	return a.callback(dir, time.Now())
}

func (a *Authority) callback(dir string, now time.Time) (*tls.Certificate, error) {
	unlock, err := lockFolder(dir)
	if durable.Full(err) {
		unlock, err = func() {}, nil // nobody can make a file here
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	path := filepath.Join(dir, callbackFile)
	if text, err := durable.ReadFile(path, fileMost); err == nil {
		if pair, err := tls.X509KeyPair(text, text); err == nil && a.stillGood(&pair, now) {
			return &pair, nil
		}
	}
	pair, err := a.leaf(now.Add(-backdate), now.Add(CallbackLife), callbackNames)
	if err != nil {
		return nil, err
	}
	text, err := keyText(pair.PrivateKey, pair.Certificate...)
	if err != nil {
		return nil, err
	}
	err = durable.WriteFile(path, text, 0o600)
	if durable.Full(err) {
		a.unsaved = err
	} else if err != nil {
		return nil, fmt.Errorf("saving the callback's certificate: %w", err)
	}
	return pair, nil
}

var callbackNames = []string{"localhost", "127.0.0.1", "::1"}

// stillGood looks a month ahead. A clock that stands before the leaf's start,
// as after a power cut, is taken for wrong: it must not cost the exception.
func (a *Authority) stillGood(pair *tls.Certificate, now time.Time) bool {
	at := now.Add(renewBefore)
	if at.Before(pair.Leaf.NotBefore) {
		at = pair.Leaf.NotBefore
	}
	for _, name := range callbackNames {
		options := x509.VerifyOptions{Roots: a.Pool(), DNSName: name, CurrentTime: at}
		if _, err := pair.Leaf.Verify(options); err != nil {
			return false
		}
	}
	return true
}

// keyText is a private key followed by its certificates, in PEM form.
func keyText(key any, chain ...[]byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text, nil
}
