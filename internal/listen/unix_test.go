//go:build unix

package listen

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestUnixSocketIsPrivate(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "run", "avsproxy", "proxy.sock")
	old := syscall.Umask(0) // not parallel: the umask belongs to the whole process
	lns, warnings := mustOpen(t, "unix:"+path)
	syscall.Umask(old)
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
	wantMode(t, path, fs.ModeSocket|0o600)
	wantMode(t, filepath.Dir(path), fs.ModeDir|0o700)

	c := testkit.Dial(t, path)
	c.Close()
	lns[0].Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket outlives its listener: %v", err)
	}
}

func TestUnixWarnsOfAnOpenFolder(t *testing.T) {
	folder := testkit.SocketDir(t)
	testkit.NoError(t, os.Chmod(folder, 0o755))
	_, warnings := mustOpen(t, "unix:"+filepath.Join(folder, "s"))
	if len(warnings) != 1 || !strings.Contains(warnings[0], "0755") {
		t.Errorf("warnings %q", warnings)
	}
	wantMode(t, folder, fs.ModeDir|0o755)
	wantMode(t, filepath.Join(folder, "s"), fs.ModeSocket|0o600)
}

func TestUnixReplacesADeadSocket(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "s")
	leaveDeadSocket(t, path)
	mustOpen(t, "unix:"+path)
	c := testkit.Dial(t, path)
	c.Close()
}

func TestUnixLeavesALiveSocket(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "s")
	mustOpen(t, "unix:"+path)
	err := wantError(t, "unix:"+path)
	var inUse *InUse
	if !errors.As(err, &inUse) || inUse.Addr != "unix:"+path || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v", err)
	}
	if runtime.GOOS == "linux" {
		wantMyself(t, inUse)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal("the live socket was harmed:", err)
	}
	c.Close()
}

// Of many that start at once over a dead socket exactly one gets it, and keeps it.
func TestUnixOneOfManyReplacesADeadSocket(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "s")
	leaveDeadSocket(t, path)
	var wg sync.WaitGroup
	won := make(chan net.Listener, 20)
	for range cap(won) {
		wg.Go(func() {
			lns, _, err := Open(t.Context(), "unix:"+path)
			var inUse *InUse
			if err != nil && !errors.As(err, &inUse) {
				t.Error(err)
			}
			for _, ln := range lns {
				won <- ln
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d hold the socket", len(won))
	}
	for range len(won) {
		(<-won).Close()
	}
}

func TestUnixSocketServes(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "s")
	serve(t, "unix:"+path, time.Minute)
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer tr.CloseIdleConnections()
	if got, want := post(t, tr, "http://localhost", "hello"), "HTTP/1.1 false hello"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnixLeavesOtherFilesAlone(t *testing.T) {
	path := filepath.Join(testkit.SocketDir(t), "precious")
	testkit.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	wantError(t, "unix:"+path)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestUnixPathTooLong(t *testing.T) {
	err := wantError(t, "unix:"+filepath.Join(testkit.SocketDir(t), strings.Repeat("x", 120)))
	if !strings.Contains(err.Error(), "100 bytes") {
		t.Errorf("got %v", err)
	}
}

// leaveDeadSocket does what a killed program does.
func leaveDeadSocket(t *testing.T, path string) {
	t.Helper()
	ln := testkit.Must(net.Listen("unix", path))(t)
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info := testkit.Must(os.Lstat(path))(t)
	if info.Mode() != want {
		t.Errorf("mode of %s is %v, want %v", path, info.Mode(), want)
	}
}
