package listen

import (
	"context"
	"net"
	"strconv"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// mustOpen opens addr and closes everything at the end of the test.
func mustOpen(t *testing.T, addr string) ([]net.Listener, []string) {
	t.Helper()
	lns, warnings, err := Open(t.Context(), addr)
	testkit.NoError(t, err)
	t.Cleanup(func() { closeAll(lns) })
	return lns, warnings
}

// wantError checks that an address cannot be opened and that nothing stays behind.
func wantError(t *testing.T, addr string) error {
	t.Helper()
	lns, warnings, err := Open(t.Context(), addr)
	if err == nil {
		closeAll(lns)
		t.Fatalf("%s: want an error", addr)
	}
	if lns != nil || warnings != nil {
		t.Errorf("%s: got %v and %v beside the error", addr, lns, warnings)
	}
	return err
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

func localhost(port int) string { return "localhost:" + strconv.Itoa(port) }

func needIPv6(t *testing.T) {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp6", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	ln.Close()
}
