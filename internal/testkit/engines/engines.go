// Package engines starts databases for tests, and tests what a [tokens.SharedStore] asks of them.
package engines

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// A Server is a database that a test starts and stops.
type Server struct {
	t       testing.TB
	Port    string
	Dir     string
	command func() *exec.Cmd
	ready   func(port string) bool
	running *exec.Cmd
}

// Start starts it, or starts it again, and waits until it takes connections.
func (s *Server) Start() {
	s.t.Helper()
	s.running = s.command()
	testkit.NoError(s.t, s.running.Start())
	for deadline := time.Now().Add(testkit.Timeout); ; time.Sleep(10 * time.Millisecond) {
		if s.ready(s.Port) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not listen on %s", s.running.Path, s.Port)
		}
	}
}

// Kill ends it as kill -9 does.
func (s *Server) Kill() {
	if s.running != nil {
		_ = s.running.Process.Kill() // it may be over
		_ = s.running.Wait()
		s.running = nil
	}
}

// Signal sends it a signal, such as SIGSTOP.
func (s *Server) Signal(signal syscall.Signal) { _ = s.running.Process.Signal(signal) }

func listens(port string) bool {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func newServer(t testing.TB, command func(s *Server) *exec.Cmd) *Server {
	s := &Server{t: t, Port: freePort(t), Dir: t.TempDir(), ready: listens}
	s.command = func() *exec.Cmd { return command(s) }
	t.Cleanup(s.Kill)
	return s
}

func freePort(t testing.TB) string {
	ln := testkit.Listen(t)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	return port
}

// Redis starts a redis-server with further arguments.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	testkit.NeedTool(t, "redis-server")
	s := newServer(t, func(s *Server) *exec.Cmd {
		return exec.Command("redis-server", append([]string{"--port", s.Port, "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--logfile", filepath.Join(s.Dir, "log")}, args...)...)
	})
	s.Start()
	return s
}

// Sentinel starts a Sentinel that watches a master of the name "master", and promotes another after
// a second.
func Sentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	s := newServer(t, func(s *Server) *exec.Cmd {
		conf := filepath.Join(s.Dir, "sentinel.conf")
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nlogfile %s\nsentinel monitor master 127.0.0.1 %s 1\n"+
			"sentinel down-after-milliseconds master 1000\nsentinel failover-timeout master 3000\n", s.Port, s.Dir, filepath.Join(s.Dir, "log"), master.Port)
		testkit.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
		return exec.Command("redis-sentinel", conf)
	})
	s.Start()
	return s
}

// Postgres starts a PostgreSQL that trusts the user "postgres".
func Postgres(t testing.TB, settings ...string) *Server {
	t.Helper()
	initdb := postgresTool(t, "initdb")
	s := newServer(t, func(s *Server) *exec.Cmd {
		args := []string{"-D", filepath.Join(s.Dir, "data"), "-p", s.Port, "-h", "127.0.0.1", "-k", ""}
		for _, setting := range settings {
			args = append(args, "-c", setting)
		}
		return asUser(exec.Command(filepath.Join(filepath.Dir(initdb), "postgres"), args...))
	})
	testkit.NoError(t, os.Chmod(filepath.Dir(s.Dir), 0o755))
	testkit.NoError(t, os.Chmod(s.Dir, 0o777))
	if out, err := asUser(exec.Command(initdb, "-D", filepath.Join(s.Dir, "data"), "-U", "postgres", "-A", "trust", "-N")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.ready = func(port string) bool {
		return exec.Command(filepath.Join(filepath.Dir(initdb), "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port).Run() == nil
	}
	s.Start()
	return s
}

// postgresTool finds a tool of PostgreSQL, which Debian keeps out of the PATH.
func postgresTool(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	testkit.NeedTool(t, "pg_ctlcluster") // which comes with it
	t.Fatal("PostgreSQL is not in /usr/lib/postgresql")
	return ""
}
