package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/terminal"

	"software.sslmate.com/src/go-pkcs12"
)

// trustFiles are what clients take instead of the system's roots, or, with Node, in
// addition to them. They hold no secret.
type trustFiles struct {
	bundle string // the system's roots and our root, PEM
	node   string // our root, and those of NODE_EXTRA_CA_CERTS
	java   string // as bundle, PKCS #12
	wget   string // settings that name bundle, behind the person's own
	php    string // a folder with such settings
}

// rootVariables name a file of roots that a client takes instead of its own. libcurl
// itself asks none; the curl command, git and R do each for themselves.
var rootVariables = []string{
	"SSL_CERT_FILE", "NIX_SSL_CERT_FILE", // OpenSSL, Go, Ruby, Rust, PHP's streams; those of Nix
	"CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
	"REQUESTS_CA_BUNDLE", "PIP_CERT", "HTTPLIB2_CA_CERTS", "WEBSOCKET_CLIENT_CA_BUNDLE", // Python
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", // C-core, with Python, Ruby, PHP and C++ on it, and Node
	"AWS_CA_BUNDLE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
	"CARGO_HTTP_CAINFO", "DENO_CERT", "HEX_CACERTS_PATH", "BUNDLE_SSL_CA_CERT", "PERL_LWP_SSL_CA_FILE",
}

// javaPassword is the one that Java's own store has; without any, older versions
// read no certificates.
const javaPassword = "changeit"

// systemBundles is where systems keep all their roots in one file: Debian, Fedora,
// openSUSE, Alpine and macOS.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// writeTrust writes the files into the state folder.
func writeTrust(ctx context.Context, a *commands, conf *config.Config) (trustFiles, error) {
	authority, err := app.OpenAuthority(ctx, a.Environment, conf)
	if err != nil {
		return trustFiles{}, err
	}
	files := trustFiles{
		bundle: filepath.Join(conf.Store.Path, app.BundleName),
		node:   rootPath(conf),
		java:   filepath.Join(conf.Store.Path, app.JavaBundleName),
		wget:   filepath.Join(conf.Store.Path, "wgetrc"),
		php:    filepath.Join(conf.Store.Path, "php"),
	}
	roots := systemRoots(a, files.bundle)
	if len(roots) == 0 {
		a.UI.Warn("the system's roots were not found in any file", "the command trusts the hosts of the routes alone; name a file by SSL_CERT_FILE")
	}
	if given := a.Getenv("NODE_EXTRA_CA_CERTS"); given != "" && given != files.node {
		files.node = files.bundle
	}
	roots = distinct(append(roots, authority.Root()))
	store, err := javaStore(roots)
	if err != nil {
		return trustFiles{}, terminal.Failed(fmt.Errorf("encoding the roots for Java: %w", err), "")
	}
	if err := writeTrustFiles(a, files, encodeAll(roots), store); err != nil {
		return trustFiles{}, terminal.Failed(fmt.Errorf("writing the roots for the command: %w", err), "check the state folder's owner and mode")
	}
	return files, nil
}

func writeTrustFiles(a *commands, files trustFiles, bundle, store []byte) error {
	err := durable.MkdirPrivate(files.php)
	for path, data := range map[string][]byte{files.bundle: bundle, files.java: store, phpSettings(files.php): phpIni(files.bundle)} {
		err = errors.Join(err, durable.WriteFile(path, data, 0o644))
	}
	// The person's own settings may have passwords in them.
	return errors.Join(err, durable.WriteFile(files.wget, wgetrc(a, files), 0o600))
}

// javaStore has the one form that every Java reads. Java keeps one entry of each
// name, and subjects repeat: our own does when the authority was replaced.
func javaStore(roots []*x509.Certificate) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	for i, cert := range roots {
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: fmt.Sprintf("%d %s", i, cert.Subject)})
	}
	return pkcs12.LegacyDES.EncodeTrustStoreEntries(entries, javaPassword)
}

// systemRoots are the roots that the command would have without us: the system's,
// or those of SSL_CERT_FILE, and those that other variables and settings name. bundle
// is our own file, which the variables name in a command within a command.
func systemRoots(a *commands, bundle string) (roots []*x509.Certificate) {
	first := systemBundles
	if given := a.Getenv("SSL_CERT_FILE"); given != "" && given != bundle {
		first = []string{given}
	}
	for _, path := range first {
		if roots = readCertificates(path); len(roots) > 0 {
			break
		}
	}
	more := filepath.SplitList(a.Getenv("SSL_CERT_DIR"))
	for _, name := range append([]string{"NODE_EXTRA_CA_CERTS"}, rootVariables...) {
		more = append(more, a.Getenv(name))
	}
	for _, path := range append(more, wgetRoots(a)...) {
		if path != "" && path != bundle {
			roots = append(roots, readCertificates(path)...)
		}
	}
	return roots
}

// readCertificates reads those that can be read of a file or of all files in a folder; a
// client would do the same.
func readCertificates(path string) (list []*x509.Certificate) {
	entries, err := os.ReadDir(path)
	for _, entry := range entries {
		if !entry.IsDir() {
			list = append(list, certificatesOf(filepath.Join(path, entry.Name()))...)
		}
	}
	if err == nil {
		return list
	}
	return certificatesOf(path)
}

func certificatesOf(path string) (list []*x509.Certificate) {
	text, err := durable.ReadFile(path, app.MaxPEM)
	if err != nil {
		return nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			list = append(list, cert)
		}
	}
	return list
}

func distinct(certs []*x509.Certificate) []*x509.Certificate {
	seen := map[string]bool{}
	return slices.DeleteFunc(certs, func(cert *x509.Certificate) bool {
		before := seen[string(cert.Raw)]
		seen[string(cert.Raw)] = true
		return before
	})
}

func encodeAll(certs []*x509.Certificate) []byte {
	var text bytes.Buffer
	for _, cert := range certs {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a buffer takes everything
	}
	return text.Bytes()
}
