package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
	"avsproxy/internal/console"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// A besideTest is a console without a proxy, and commands beside it.
type besideTest struct {
	*console.Console
	env    map[string]string
	server *httptest.Server
}

func startConsole(t *testing.T, exchanges *capture.Recorder) *besideTest {
	t.Helper()
	dir := t.TempDir()
	b := &besideTest{
		Console: &console.Console{Exchanges: exchanges, Logins: &tokens.Logins{}},
		env:     map[string]string{"HOME": dir, "AVSPROXY_CONFIG": filepath.Join(dir, "config.toml")},
	}
	b.server = httptest.NewServer(b.Guarded(nil))
	t.Cleanup(b.server.Close)
	state := filepath.Join(dir, "state")
	text := "[store]\npath = \"" + state + "\"\n[[route]]\nname = \"avs\"\nupstream = \"https://api.example\"\n"
	file := testkit.Must(json.Marshal(api.RunFile{PID: os.Getpid(), Console: b.server.URL}))(t)
	for path, content := range map[string][]byte{b.env["AVSPROXY_CONFIG"]: []byte(text), filepath.Join(state, "run.json"): file} {
		testkit.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		testkit.NoError(t, os.WriteFile(path, content, 0o600))
	}
	return b
}

// A command is one that runs.
type command struct {
	t      *testing.T
	lines  *bufio.Scanner
	stderr *testkit.Buffer
	cancel func()
	ended  chan int
}

func (b *besideTest) start(t *testing.T, args ...string) *command {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, stdout := io.Pipe()
	c := &command{t: t, lines: bufio.NewScanner(reader), stderr: testkit.NewBuffer(), cancel: cancel, ended: make(chan int, 1)}
	c.lines.Buffer(nil, 1<<20)
	go func() {
		code := Run(ctx, args, func(name string) string { return b.env[name] }, strings.NewReader("from stdin"), stdout, c.stderr)
		stdout.Close()
		c.ended <- code
	}()
	t.Cleanup(cancel)
	return c
}

// line is the next that the command prints.
func (c *command) line() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("it ended with %d: %s", <-c.ended, c.stderr)
	}
	return c.lines.Text()
}

// stop ends the command, whatever it still prints.
func (c *command) stop() {
	c.cancel()
	for c.lines.Scan() {
	}
	<-c.ended
}

// end expects nothing more on stdout.
func (c *command) end(code int) {
	c.t.Helper()
	for c.lines.Scan() {
		c.t.Errorf("it printed %q", c.lines.Text())
	}
	if got := <-c.ended; got != code {
		c.t.Errorf("it ended with %d, want %d: %s", got, code, c.stderr)
	}
}
