package cli

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// lockNoticeAfter is how long a login waits for another one before it says so.
const lockNoticeAfter = 100 * time.Millisecond

// lockLogin waits until no other process is logging in with this state folder:
// they would fight for the callback's port. It says so where it has to wait.
func lockLogin(ctx context.Context, a *commands, conf *config.Config) (done func(), waited bool, err error) {
	store := tokens.FileStore{Dir: filepath.Clean(conf.Store.Path)}
	soon, cancel := context.WithTimeout(ctx, lockNoticeAfter)
	defer cancel()
	done, err = store.Lock(soon, ".login")
	if !errors.Is(err, context.DeadlineExceeded) {
		return done, false, terminal.Failed(err, "")
	}
	a.UI.Say("Another 'avsproxy login' is under way in %s; waiting for it (Ctrl-C to stop)", conf.Store.Path)
	done, err = store.Lock(ctx, ".login")
	return done, true, err
}
