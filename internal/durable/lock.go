package durable

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockRetry = 20 * time.Millisecond
	lockTold  = time.Second // after which waiting is worth a word
)

// Lock takes the advisory lock on the file at path, which is made with mode 0600 if it
// is not there. The system releases it when its holder dies. While another process has
// it, Lock waits until ctx ends; waiting, which may be nil, is called once if that
// takes longer than a second.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	// O_NONBLOCK is for a pipe in its place, which is as good as a file.
	lock := flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NONBLOCK))
	soon, cancel := context.WithTimeout(ctx, lockTold)
	defer cancel()
	_, err = lock.TryLockContext(soon, lockRetry)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		if waiting != nil {
			waiting()
		}
		_, err = lock.TryLockContext(ctx, lockRetry)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return func() { lock.Close() }, nil
}
