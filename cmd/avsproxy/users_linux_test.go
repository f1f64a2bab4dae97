package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/peer"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

const (
	stranger = 12345 // users need no entry anywhere
	friend   = 12346
)

// curlAs is what a user gets from curl: head and body.
func curlAs(t *testing.T, uid uint32, args ...string) string {
	t.Helper()
	cmd := exec.Command("curl", append([]string{"-sik", "-m", "20"}, args...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	if uid != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("uid %d, curl %v: %v\n%s", uid, args, err, out)
	}
	return string(out)
}

func needRoot(t *testing.T) {
	t.Helper()
	testkit.NeedTool(t, "curl")
	testkit.NeedRoot(t)
}

// openSocket is a path for a unix socket whose folder others may enter.
func openSocket(t *testing.T) string {
	t.Helper()
	dir := testkit.Must(os.MkdirTemp("/tmp", "users"))(t)
	t.Cleanup(func() { os.RemoveAll(dir) })
	testkit.NoError(t, os.Chmod(dir, 0o755))
	return filepath.Join(dir, "s")
}

// usersConfig has a route to nowhere: whoever is let in gets a 502.
func usersConfig(socket, more string) string {
	return fmt.Sprintf(`
[proxy]
listen = ["localhost:0", "unix:%s"]
%s
[console]
listen = "localhost:0"
[[route]]
name = "secretname"
upstream = "https://127.0.0.1:1"
dial_timeout = "1s"
`, socket, more)
}

// forms are the ways to ask the proxy: each must see the peer.
func forms(t *testing.T, proxy *runningProxy, socket string) map[string][]string {
	t.Helper()
	testkit.NoError(t, os.Chmod(socket, 0o777)) // as an administrator might
	port := app.PortOf(proxy.Proxy[0])
	return map[string][]string{
		"IPv4":       {"http://127.0.0.1:" + port + "/"},
		"IPv6":       {"http://[::1]:" + port + "/"},
		"unix":       {"--unix-socket", socket, "http://localhost/"},
		"h2c":        {"--http2-prior-knowledge", "http://127.0.0.1:" + port + "/"},
		"TLS, h2":    {"https://127.0.0.1:" + port + "/"},
		"TLS, h1":    {"--http1.1", "https://127.0.0.1:" + port + "/"},
		"wrong host": {"-H", "Host: evil.example", "http://127.0.0.1:" + port + "/"},
	}
}

func refusedAs(t *testing.T, what, answer, key string) {
	t.Helper()
	lower := strings.ToLower(answer)
	if !strings.Contains(lower, "avsproxy-error: user_forbidden") || !strings.Contains(strings.SplitN(lower, "\n", 2)[0], " 403") || !strings.Contains(answer, key) {
		t.Errorf("%s: not refused:\n%s", what, answer)
	}
	if strings.Contains(answer, "secretname") {
		t.Errorf("%s: the refusal names a route:\n%s", what, answer)
	}
}

func admitted(t *testing.T, what, answer, want string) {
	t.Helper()
	if !strings.Contains(strings.ToLower(answer), want) {
		t.Errorf("%s: not let in:\n%s", what, answer)
	}
}

func TestC04_OtherUsersOfTheProxy(t *testing.T) {
	needRoot(t)
	socket := openSocket(t)
	proxy := startProxy(t, usersConfig(socket, fmt.Sprintf("allow_users = [\"%d\"]", friend)))
	for name, args := range forms(t, proxy, socket) {
		refusedAs(t, name, curlAs(t, stranger, args...), "allow_users")
		want := "avsproxy-error: upstream_unreachable"
		if name == "wrong host" {
			want = "avsproxy-error: unknown_host"
		}
		admitted(t, name+" for root", curlAs(t, 0, args...), want)
		admitted(t, name+" for a friend", curlAs(t, friend, args...), want)
	}
	record := refusalOf(t, proxy, "user_forbidden")
	if want := "other users of this machine are refused: the connection belongs to the user with uid 12345"; record.Ended != want {
		t.Errorf("recorded %q", record.Ended)
	}
}

// The key says more than a user ID: it was given to its bearer.
func TestC04_TheClientKeyOpensToEveryUser(t *testing.T) {
	needRoot(t)
	socket := openSocket(t)
	proxy := startProxy(t, usersConfig(socket, `client_key = "the-key-of-this-test"`))
	for name, args := range forms(t, proxy, socket) {
		if name == "wrong host" {
			continue
		}
		key := append([]string{"-H", "Avsproxy-Key: the-key-of-this-test"}, args...)
		wrong := append([]string{"-H", "Avsproxy-Key: another"}, args...)
		admitted(t, name, curlAs(t, stranger, key...), "avsproxy-error: upstream_unreachable")
		refusedAs(t, name, curlAs(t, stranger, wrong...), "client_key")
		admitted(t, name, curlAs(t, 0, wrong...), "avsproxy-error: client_key_required")
	}
}

// allow_users opens the proxy, not the console. What monitors ask is for all.
func TestC04_OtherUsersOfTheConsole(t *testing.T) {
	needRoot(t)
	proxy := startProxy(t, usersConfig(openSocket(t), fmt.Sprintf("allow_users = [\"%d\"]", friend)))
	port := app.PortOf(proxy.Console)
	for _, base := range []string{"http://127.0.0.1:" + port, "https://[::1]:" + port, "http://localhost:" + port} {
		for _, path := range []string{"/", "/login", "/login/x", "/api/status", "/authresponse", "/metrics/", "/nowhere"} {
			for _, uid := range []uint32{stranger, friend} {
				refusedAs(t, base+path, curlAs(t, uid, base+path), "root")
			}
		}
		refusedAs(t, "POST", curlAs(t, stranger, "-X", "POST", base+"/metrics"), "root")
		for _, path := range []string{"/livez", "/readyz", "/metrics"} {
			admitted(t, base+path, curlAs(t, stranger, base+path), " 200")
		}
		admitted(t, base, curlAs(t, 0, base+"/api/status"), `"users": {`)
	}
}

// The program runs as a user without rights: that user and root come in.
func TestC04_TheUserItRunsAsAndRootAreAdmitted(t *testing.T) {
	needRoot(t)
	proxy := serveAs(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}})
	if want := " for you (uid 12345) and root\n"; !strings.Contains(proxy.Stderr.String(), want) {
		t.Errorf("it said\n%s", proxy.Stderr)
	}
	for _, uid := range []uint32{stranger, 0} {
		admitted(t, "", curlAs(t, uid, proxy.Proxy[0]), "avsproxy-error: upstream_unreachable")
		admitted(t, "", curlAs(t, uid, proxy.Console+"/api/status"), "the user it runs as (uid 12345) and root")
	}
	refusedAs(t, "proxy", curlAs(t, friend, proxy.Proxy[0]), "allow_users")
	refusedAs(t, "console", curlAs(t, friend, proxy.Console), "root")
}

// In a container that has one user of the host, all others have one number, and
// nobody can say who of them it is: not even whether it is root.
func TestC04_UsersThatTheContainerDoesNotKnow(t *testing.T) {
	needRoot(t)
	one := []syscall.SysProcIDMap{{ContainerID: 1000, HostID: stranger, Size: 1}}
	proxy := serveAs(t, &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one,
		Credential: &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true},
	})
	admitted(t, "", curlAs(t, stranger, proxy.Proxy[0]), "avsproxy-error: upstream_unreachable")
	for _, uid := range []uint32{friend, 0} {
		refusedAs(t, "proxy", curlAs(t, uid, proxy.Proxy[0]), "the system does not tell")
	}
}

// serveAs runs the built program as the user stranger, for whom it must be copied.
func serveAs(t *testing.T, as *syscall.SysProcAttr) *runningProxy {
	t.Helper()
	dir := filepath.Dir(openSocket(t))
	program := testkit.Must(os.ReadFile(binary))(t)
	for name, text := range map[string][]byte{"avsproxy": program, "config.toml": []byte(usersConfig(dir+"/s", ""))} {
		testkit.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o755))
	}
	testkit.NoError(t, os.Chown(dir, stranger, stranger))
	proxy := newRunningProxy(dir)
	cmd := exec.Command(filepath.Join(dir, "avsproxy"), "serve", "--json")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "NO_COLOR=1"}
	cmd.Stdout, cmd.Stderr = proxy.Stdout, proxy.Stderr
	cmd.SysProcAttr = as
	if err := cmd.Start(); err != nil && as.Cloneflags != 0 {
		t.Skip(err) // many machines forbid it
	} else if err != nil {
		t.Fatal(err)
	}
	proxy.awaitAndEnd(t, cmd)
	testkit.Eventually(t, "the last line of the start", func() bool { return strings.Contains(proxy.Stderr.String(), "\nTry:") })
	return proxy
}

// A client that sends and is gone before its connection is accepted must not get
// its request done, though the kernel would call its socket root's.
func TestC04_ClientsThatAreGoneAreRefused(t *testing.T) {
	told := make(chan problem.Problem, 1)
	rules := gate.Rules{Users: peer.LocalUsers(), Host: func(exchange.Authority, exchange.Listener) bool { return true }}
	reached := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request came through") })
	server := httpserver.New(httpexchange.Guard(rules, func(_ *exchange.Head, p problem.Problem) { told <- p }, reached), httpserver.DiscardLog())
	defer server.Close()
	ln := testkit.Listen(t)
	client := testkit.Dial(t, ln.Addr().String())
	io.WriteString(client, "POST /spend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	client.Close()
	httpserver.Serve(server, []net.Listener{ln}, nil)
	if p := <-told; p.Code != problem.UserForbidden {
		t.Errorf("%+v", p)
	}
}
