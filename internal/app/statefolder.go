package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// PrepareStateFolder looks at the state folder before anything in it is trusted. Where none
// is known, which kind = "memory" may do without, a folder serves that ends with this
// command.
func PrepareStateFolder(e *Environment, conf *config.Config) (*config.Config, error) {
	if conf.Store.Path == "" {
		dir, err := os.MkdirTemp("", "avsproxy-")
		if err != nil {
			return nil, terminal.Failed(fmt.Errorf("making a folder for this run: %w", err), "set path in [store]")
		}
		e.Cleanup.add(func() { os.RemoveAll(dir) })
		own := *conf
		own.Store.Path, e.Temporary = dir, true
		return &own, nil
	}
	if info, err := os.Stat(conf.Store.Path); err == nil && !info.IsDir() {
		return nil, terminal.Usage(fmt.Errorf("the state folder %s is not a folder", conf.Store.Path), "set path in [store] to one, or move that file away")
	}
	if err := durable.CheckFolder(conf.Store.Path); err != nil {
		return nil, terminal.Failed(err, "see that all in it is yours, then: chmod o-w "+terminal.ShellQuote(conf.Store.Path)+"; or set path in [store] to another folder")
	}
	return conf, nil
}

// sweepAfter is longer than writing any file takes.
const sweepAfter = time.Hour

// sweepStateFolder removes what killed processes left half written in the state folder. Others
// may be writing: of the files that are written without a lock only old ones go.
func sweepStateFolder(e *Environment, conf *config.Config) {
	for _, name := range []string{api.RunFileName, BundleName, JavaBundleName, TrustedName} {
		for _, left := range durable.Leftovers(filepath.Join(conf.Store.Path, name)) {
			if info, err := os.Lstat(left); err == nil && time.Since(info.ModTime()) > sweepAfter {
				_ = os.Remove(left)
			}
		}
	}
}

const (
	BundleName     = "ca-bundle.pem"
	JavaBundleName = "ca-bundle.p12"
	TrustedName    = "ca-trusted.pem"
)

// sandboxFolder keeps the sandbox's grants away from real ones.
func sandboxFolder(conf *config.Config) string { return filepath.Join(conf.Store.Path, "sandbox") }

// clearSandboxFolder removes the logins of an earlier sandbox, which mean nothing to
// this one. All else there may be somebody's; it is an error only where a login of
// this sandbox has to be.
func clearSandboxFolder(conf *config.Config) error {
	store := tokens.FileStore{Dir: sandboxFolder(conf)}
	err := checkSandboxFolder(store.Dir)
	if err == nil {
		err = store.Clear(isSandboxLogin)
	}
	if conf.Store.Kind == "memory" {
		return nil // nothing is to be put there
	}
	if err != nil {
		return terminal.Failed(err, moveAwayHint)
	}
	for _, name := range credentialNames(conf) {
		for _, path := range []string{store.Path(name), store.Path(name + ".own")} {
			if _, err := os.Lstat(path); err == nil {
				return terminal.Failed(fmt.Errorf("%s is no login that the sandbox made; it was left alone, and is in the way of one", path), moveAwayHint)
			}
		}
	}
	return nil
}

const moveAwayHint = "move it away, or give the sandbox a state folder of its own with path in [store]"

// isSandboxLogin reports whether a login is one to the sandbox, damaged or not.
func isSandboxLogin(content []byte) bool { return bytes.Contains(content, []byte(sandbox.ClientID)) }

func checkSandboxFolder(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s, where the sandbox keeps its logins, is a symbolic link to nothing", path)
		}
		return nil
	case err != nil:
		return fmt.Errorf("the sandbox's logins cannot be kept: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s, where the sandbox keeps its logins, is not a folder", path)
	}
	return nil
}
