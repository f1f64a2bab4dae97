package app

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/terminal"
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
