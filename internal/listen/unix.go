package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"avsproxy/internal/durable"
)

// Both are for one step of another program that starts or runs on the same socket.
const (
	lockWait  = 3 * time.Second
	probeWait = time.Second
)

// openUnix makes the folder and the socket. It replaces a socket of a program that ended.
func openUnix(ctx context.Context, path string) (net.Listener, []string, error) {
	if !filepath.IsAbs(path) {
		return nil, nil, fmt.Errorf("unix:%s: the path of a socket must be absolute", path)
	}
	folder := filepath.Dir(path)
	if err := durable.MkdirPrivate(folder); err != nil {
		return nil, nil, fmt.Errorf("folder of the socket: %w", err)
	}
	unlock, err := lock(ctx, folder)
	if err != nil {
		return nil, nil, fmt.Errorf("lock the folder of unix:%s: %w", path, err)
	}
	defer unlock()
	if err := removeDead(ctx, path); err != nil {
		return nil, nil, err
	}
	ln, err := bind(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	return ln, openToOthers(folder), nil
}

// lock lets one program at a time replace the socket: otherwise the slower of two could remove the new socket of the
// other. It locks the folder itself, since a lock file would stay. Where folders cannot be locked (Windows, some
// network file systems) there is no lock.
func lock(ctx context.Context, folder string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l := flock.New(folder, flock.SetFlag(os.O_RDONLY))
	if _, err := l.TryLockContext(ctx, 10*time.Millisecond); err != nil && ctx.Err() != nil {
		l.Close()
		return nil, err
	}
	return func() { l.Close() }, nil
}

// removeDead removes the socket of a program that ended. It does not remove other files.
func removeDead(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("unix:%s: the file there is not a socket; choose another path or remove it", path)
	}
	if err := probe(ctx, path); err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// probe returns nil only if no program listens for sure; a doubt counts as in use.
func probe(ctx context.Context, path string) error {
	c, err := (&net.Dialer{Timeout: probeWait}).DialContext(ctx, "unix", path)
	switch {
	case refused(err) || errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("unix:%s: the socket there belongs to another user; choose another path: %w", path, err)
	case err != nil:
		return &InUse{Addr: "unix:" + path, Err: err}
	}
	defer c.Close()
	pid, program := unixHolder(c.(*net.UnixConn))
	return &InUse{Addr: "unix:" + path, PID: pid, Program: program, Err: syscall.EADDRINUSE}
}

func refused(err error) bool {
	const wsaECONNREFUSED = syscall.Errno(10061)
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaECONNREFUSED)
}

// bind creates the socket with mode 0600: on Linux from the start, elsewhere right after.
func bind(ctx context.Context, path string) (net.Listener, error) {
	conf := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return private(c) }}
	ln, err := conf.Listen(ctx, "unix", path)
	switch {
	case taken(err):
		return nil, &InUse{Addr: "unix:" + path, Err: err}
	case errors.Is(err, syscall.EINVAL):
		return nil, fmt.Errorf("unix:%s: the path of a socket may have about 100 bytes, this one has %d: %w", path, len(path), err)
	case err != nil:
		return nil, err
	}
	if err := restrict(path); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// restrict calls chmod only if needed: chmod follows a link that another program may have put there.
func restrict(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() == 0o600 || runtime.GOOS == "windows" {
		return err
	}
	return os.Chmod(path, 0o600)
}

// openToOthers warns of a folder that other users can enter. The mode of the socket excludes them on Linux and macOS,
// but not on all systems (unix(7)), and a user who can write to the folder can put another socket there.
func openToOthers(folder string) []string {
	info, err := os.Stat(folder)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return []string{fmt.Sprintf("other users can enter %s (mode %04o), where the unix socket is; better give it a folder of its own with mode 0700",
		folder, info.Mode().Perm())}
}
