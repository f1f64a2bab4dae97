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

// Both waits are for one step of another program that starts or runs on the same socket.
const (
	lockWait  = 3 * time.Second
	probeWait = time.Second
)

// openUnix makes the folder and the socket, replacing one that nobody listens on any more.
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

// lock keeps two starting programs from both finding the old socket dead, where the slower one would remove the new
// socket of the faster. The folder itself is locked: a lock file would stay behind. Where folders cannot be locked
// (Windows, some network file systems) it goes on without.
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

// removeDead removes a dead socket. Anything else in its place is somebody's and stays.
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

// probe returns nil only when the system says that nobody listens; a doubt counts as in use.
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
	return &InUse{Addr: "unix:" + path, PID: pid, Program: printable(program), Err: syscall.EADDRINUSE}
}

func refused(err error) bool {
	const wsaECONNREFUSED = syscall.Errno(10061)
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaECONNREFUSED)
}

// bind creates the socket with mode 0600: on Linux from its first moment, elsewhere right after.
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

// restrict leaves a socket that is right alone: chmod follows whatever may have taken its name meanwhile.
func restrict(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() == 0o600 || runtime.GOOS == "windows" {
		return err
	}
	return os.Chmod(path, 0o600)
}

// openToOthers warns of a folder that was there before and lets other users in. The mode of the socket keeps them out
// on Linux and macOS, but not everywhere (unix(7)), and who may write to the folder may put another socket there.
func openToOthers(folder string) []string {
	info, err := os.Stat(folder)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return []string{fmt.Sprintf("other users can enter %s (mode %04o), where the unix socket is; better give it a folder of its own with mode 0700",
		folder, info.Mode().Perm())}
}
