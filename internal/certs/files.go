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

// RootFile is the name of the root certificate in the state folder. Only its owner
// can read its key, in another file there.
const (
	RootFile     = "ca.pem"
	rootKeyFile  = "ca-key.pem" // with the root, so that key and root always match
	callbackFile = "callback.pem"
	// LockFile is the name of the file that is locked while the others are written.
	LockFile = "ca.lock"
)

const (
	maxFile     = 1 << 20             // bytes of one file
	lockTimeout = 10 * time.Second    // for another process with a slow disk
	renewBefore = 30 * 24 * time.Hour // from the new leaf of the callback to the end of the old
)

// Open returns the authority whose files are in dir; it makes them the first time.
// The authority signs for local names and the hosts (see [New]). A stored root that
// does not permit all of them is replaced, with a new key (see [Authority.AddedHosts]).
// The new one permits the old hosts too: otherwise two configurations with one folder
// would replace the root of each other.
//
// On a full disk a new authority is in memory only (see [Authority.Unsaved]).
//
// Files that cannot be used are an error and are never overwritten: a person may have
// told a browser to trust them. A missing [RootFile] is written from the key's file,
// since a crash may have come between the two.
func Open(dir string, hosts ...string) (*Authority, error) {
	hosts, err := canonicalHosts(hosts)
	if err != nil {
		return nil, err
	}
	authority, err := openSaved(dir, hosts)
	if durable.Full(err) {
		full := err
		if authority, err = New(rootName(), hosts...); err == nil {
			authority.unsaved = full
		}
	}
	return authority, err
}

// openSaved loads the authority of the folder, or makes and saves one.
func openSaved(dir string, hosts []string) (*Authority, error) {
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
		authority, err = authority.ensure(dir, hosts)
	}
	if err != nil {
		return nil, err
	}
	return authority, authority.save(dir)
}

// rootName is for people who look at a list of authorities. Without a host name it
// still helps.
func rootName() string {
	host, _ := os.Hostname()
	return "avsproxy local authority " + host
}

// ensure returns the authority with these hosts, or a new one that replaces it.
func (a *Authority) ensure(dir string, hosts []string) (*Authority, error) {
	a.hosts = hosts
	missing := notPermitted(a.root, hosts)
	if len(missing) == 0 {
		return a, nil
	}
	next, err := New(rootName(), append(permitted(a.root), hosts...)...)
	if err != nil {
		return nil, err
	}
	next.hosts, next.added = hosts, missing
	return next, next.replace(dir)
}

// lockFolder lets one process at a time write files, and removes temporary files of
// killed processes.
func lockFolder(dir string) (unlock func(), err error) {
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, LockFile)
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	unlock, err = durable.Lock(ctx, path, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("another process has held the lock %s for more than %v; end that process", path, lockTimeout)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the certificate authority: %w", err)
	}
	for _, name := range []string{RootFile, rootKeyFile, callbackFile} {
		for _, left := range durable.Leftovers(filepath.Join(dir, name)) {
			_ = os.Remove(left) // of a killed process: all others write with the lock
		}
	}
	return unlock, nil
}

var errNoAuthority = errors.New("there is no local authority yet")

func load(dir string) (*Authority, error) {
	rootPath, keyPath := filepath.Join(dir, RootFile), filepath.Join(dir, rootKeyFile)
	key, keyErr := durable.ReadFile(keyPath, maxFile)
	root, rootErr := durable.ReadFile(rootPath, maxFile)
	noKey, noRoot := errors.Is(keyErr, fs.ErrNotExist), errors.Is(rootErr, fs.ErrNotExist)
	switch {
	case noKey && noRoot:
		return nil, errNoAuthority
	case noKey:
		return nil, fmt.Errorf("%s is missing, but %s is there; put it back, or move the other away too to get new ones", keyPath, rootPath)
	case keyErr != nil:
		return nil, fmt.Errorf("the local authority's key cannot be used: %w; check its owner and mode, or move it and %s away to get new ones", keyErr, RootFile)
	case rootErr != nil && !noRoot:
		return nil, fmt.Errorf("the local authority's root cannot be used: %w; check its owner and mode, or move it away to get it written again", rootErr)
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
	// Without the cause: it does not help, and a parser may quote the key.
	return nil, fmt.Errorf("%s and %s are damaged or do not belong together; put a backup in their place, or move both away to have new ones made",
		path, rootKeyFile)
}

// checkPrivate refuses a key that others can or could read, as ssh does.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if uid, known := durable.Owner(info); known && uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d), who can sign with it; move it and %s away to get new ones", path, uid, RootFile)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("%s can be used by others (mode %#o); if nobody had it: chmod 600 %s, else move it and %s away", path, mode, path, RootFile)
	}
	return nil
}

// replace replaces the authority in dir. It removes the old root first: a crash then
// leaves a key's file alone, old or new, which is enough, and never a key with the
// root of another.
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

// save writes the files that are not there. The key's file is enough, so it is first.
func (a *Authority) save(dir string) error {
	key, err := keyText(a.key, a.root.Raw)
	if err != nil {
		return err
	}
	if err := writeMissing(filepath.Join(dir, rootKeyFile), key, 0o600); err != nil {
		return fmt.Errorf("saving the authority's key: %w", err)
	}
	if err := writeMissing(filepath.Join(dir, RootFile), a.RootPEM(), 0o644); err != nil {
		return fmt.Errorf("saving the authority's root: %w", err)
	}
	return nil
}

func writeMissing(path string, text []byte, perm fs.FileMode) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return durable.WriteFile(path, text, perm)
	}
	return nil
}

// Callback returns the leaf of the login callback. It stays in dir for up to a year,
// so that a person's exception in a browser stays valid. A leaf that cannot be used is
// replaced: only such an exception depends on it.
func (a *Authority) Callback(dir string) (*tls.Certificate, error) {
	return a.callback(dir, time.Now())
}

func (a *Authority) callback(dir string, now time.Time) (*tls.Certificate, error) {
	unlock, err := lockFolder(dir)
	if durable.Full(err) {
		unlock, err = func() {}, nil // no process can make a file here
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	path := filepath.Join(dir, callbackFile)
	if text, err := durable.ReadFile(path, maxFile); err == nil {
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

// stillGood checks the leaf a month ahead. A clock before the leaf's start is wrong,
// as after a power cut, and must not cost the exception.
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
