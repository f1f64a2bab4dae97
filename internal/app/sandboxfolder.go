package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"avsproxy/internal/config"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
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
