package listen

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"avsproxy/internal/testkit"
)

func TestOpenLocalhostGivesBothFamiliesOnePort(t *testing.T) {
	needIPv6(t)
	lns, warnings := mustOpen(t, "localhost:0")
	if len(lns) != 2 || len(warnings) != 0 {
		t.Fatalf("got %d listeners, warnings %q", len(lns), warnings)
	}
	port := strconv.Itoa(portOf(lns[0]))
	for i, want := range []string{"127.0.0.1:" + port, "[::1]:" + port} {
		if got := lns[i].Addr().String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		c := testkit.Dial(t, want)
		c.Close()
	}
}

func TestOpenOneAddress(t *testing.T) {
	lns, warnings := mustOpen(t, "127.0.0.1:0")
	if len(lns) != 1 || len(warnings) != 0 || !lns[0].Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Fatalf("got %v, warnings %q", lns, warnings)
	}
}

func TestOpenTakenPortNamesItsHolder(t *testing.T) {
	needIPv6(t)
	for _, host := range []string{"127.0.0.1", "[::1]", ""} {
		t.Run(host, func(t *testing.T) {
			port := freePort(t)
			lns, _ := mustOpen(t, host+":"+strconv.Itoa(port))
			err := wantError(t, localhost(port))
			var inUse *InUse
			if !errors.As(err, &inUse) || !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasSuffix(inUse.Addr, ":"+strconv.Itoa(port)) {
				t.Errorf("address is %s", inUse.Addr)
			}
			if runtime.GOOS == "linux" {
				wantMyself(t, inUse)
			}
			lns[0].Close()
			mustOpen(t, localhost(port)) // fails if a family of the first try were still open
		})
	}
}

// freePort returns a port that both families had a moment ago, so that nobody else
// has it in one of them.
func freePort(t *testing.T) int {
	t.Helper()
	lns, _ := mustOpen(t, "localhost:0")
	for _, ln := range lns {
		ln.Close()
	}
	return portOf(lns[0])
}

func wantMyself(t *testing.T, inUse *InUse) {
	t.Helper()
	comm := testkit.Must(os.ReadFile("/proc/self/comm"))(t)
	program := strings.TrimSpace(string(comm))
	if inUse.PID != os.Getpid() || inUse.Program != program {
		t.Errorf("holder is %q, pid %d; want %q, pid %d", inUse.Program, inUse.PID, program, os.Getpid())
	}
	want := inUse.Addr + " is in use by " + program + " (pid " + strconv.Itoa(os.Getpid()) + ")"
	if inUse.Error() != want {
		t.Errorf("got %q, want %q", inUse, want)
	}
}

func TestOpenSkipsAnAbsentFamily(t *testing.T) {
	needIPv6(t) // for the turn in which it stands in for IPv4
	for _, errno := range []syscall.Errno{syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		for _, absent := range []string{"tcp4", "tcp6"} {
			o := opener{listen: failing(errno, absent)}
			lns, warnings, err := o.open(t.Context(), "localhost:0")
			testkit.NoError(t, err)
			closeAll(lns)
			if len(lns) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], errno.Error()) {
				t.Errorf("%s %v: got %v, warnings %q", absent, errno, lns, warnings)
			}
		}
	}
}

func TestOpenWithoutAnyFamily(t *testing.T) {
	o := opener{listen: failing(syscall.EAFNOSUPPORT, "tcp4", "tcp6")}
	if lns, _, err := o.open(t.Context(), "localhost:0"); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("got %v, %v", lns, err)
	}
}

func TestOpenPortZeroTriesAnotherPort(t *testing.T) {
	needIPv6(t)
	refusals := 2
	var seen []net.Listener
	o := opener{listen: func(ctx context.Context, network, addr string) (net.Listener, error) {
		if network == "tcp6" && refusals > 0 {
			refusals--
			return nil, refuse(network, addr, syscall.EADDRINUSE)
		}
		ln, err := new(net.ListenConfig).Listen(ctx, network, addr)
		seen = append(seen, ln)
		return ln, err
	}}
	lns, _, err := o.open(t.Context(), "localhost:0")
	testkit.NoError(t, err)
	defer closeAll(lns)
	if len(lns) != 2 || portOf(lns[0]) != portOf(lns[1]) || len(seen) != 4 {
		t.Errorf("got %v after %d listens", lns, len(seen))
	}
	for _, ln := range seen[:2] {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v was left open", ln.Addr())
		}
	}
}

func TestOpenGivesUpOnPortZero(t *testing.T) {
	o := opener{listen: failing(syscall.EADDRINUSE, "tcp4", "tcp6")}
	_, _, err := o.open(t.Context(), "localhost:0")
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefusesBadAddresses(t *testing.T) {
	for _, addr := range []string{"", "9744", "localhost", "localhost:65536", "localhost:-1", "localhost:http:x", "unix:", "unix:relative", "unix:@abstract"} {
		wantError(t, addr)
	}
}

func TestInUseMessages(t *testing.T) {
	for want, e := range map[string]InUse{
		"127.0.0.1:9744 is in use by nginx (pid 812)":    {Addr: "127.0.0.1:9744", PID: 812, Program: "nginx"},
		"127.0.0.1:9744 is in use by a?[2J?b (pid 812)":  {Addr: "127.0.0.1:9744", PID: 812, Program: "a\x1b[2J\nb"},
		"127.0.0.1:9744 is in use by pid 812":            {Addr: "127.0.0.1:9744", PID: 812},
		"[::1]:9744 is in use by another program":        {Addr: "[::1]:9744"},
		"unix:/run/a/proxy is in use by another program": {Addr: "unix:/run/a/proxy"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// failing listens for real except on the named networks.
func failing(errno syscall.Errno, networks ...string) func(context.Context, string, string) (net.Listener, error) {
	return func(ctx context.Context, network, addr string) (net.Listener, error) {
		for _, n := range networks {
			if n == network {
				return nil, refuse(network, addr, errno)
			}
		}
		return new(net.ListenConfig).Listen(ctx, network, addr)
	}
}

// refuse is the error as package net wraps it.
func refuse(network, addr string, errno syscall.Errno) error {
	tcp, err := net.ResolveTCPAddr(network, addr)
	if err != nil {
		return err
	}
	return &net.OpError{Op: "listen", Net: network, Addr: tcp, Err: os.NewSyscallError("bind", errno)}
}
