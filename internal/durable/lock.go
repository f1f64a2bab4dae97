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
	lockRetry   = 20 * time.Millisecond
	noticeAfter = time.Second
)

// Lock takes the advisory lock on the file at path, and creates the file with mode
// 0600. The system releases the lock when its process ends. While another process has
// it, Lock waits until ctx ends, and calls waiting once after a second, if not nil.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	// O_NONBLOCK: do not wait if the file is a pipe, which can be locked too.
	lock := flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NONBLOCK))
	soon, cancel := context.WithTimeout(ctx, noticeAfter)
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
