package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/testkit"

	"golang.org/x/sys/unix"
)

// fewFiles is what a process may open for whose places the tests fight: 128 for the
// proxy, 32 for the console, and 32 and 8 for other users.
const fewFiles = 256

// dialAs connects as another user: the kernel goes by the file system's user ID of the
// thread that makes the socket.
func dialAs(uid int, addr string) (net.Conn, error) {
	type made struct {
		conn net.Conn
		err  error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		if _, err := unix.SetfsuidRetUid(uid); err != nil {
			done <- made{nil, err}
			return
		}
		conn, err := net.Dial("tcp", addr)
		done <- made{conn, err}
	}()
	m := <-done
	return m.conn, m.err
}

// holdAs opens n connections as a user, sends on each of them what next returns, and
// leaves them open.
func holdAs(t *testing.T, uid, n int, addr string, next func(i int) string) (all []net.Conn) {
	t.Helper()
	for i := range n {
		conn := testkit.Must(dialAs(uid, addr))(t)
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, next(i)) // which may be closed already
		all = append(all, conn)
	}
	return all
}

// theStrangersWays are how a user who is refused may try to keep a place.
func theStrangersWays(i int) string {
	return []string{
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n1",
		"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
		aliveRequest,
		"GET / HTTP/1.1\r\nHost: loc",
		"",
	}[i%5]
}

// needAnotherUser skips where this process cannot be another user; CI is root.
func needAnotherUser(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") != "" {
		t.Fatal("CI is to run as root")
	}
	needRoot(t)
}

// answerIn asks on a new connection and returns the status.
func answerIn(t *testing.T, addr, request string) string {
	t.Helper()
	conn := testkit.Dial(t, addr)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(8 * time.Second)) // less than what silence is given
	io.WriteString(conn, request)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	return resp.Status
}

func TestPromise3_AnotherUserShutsNobodyOut(t *testing.T) {
	needAnotherUser(t)
	proxy := startWithFiles(t, fewFiles, usersConfig(openSocket(t), ""))
	doors := map[string]string{"proxy": strings.TrimPrefix(proxy.Proxy[0], "http://"), "console": strings.TrimPrefix(proxy.Console, "http://")}
	for name, addr := range doors {
		held := holdAs(t, stranger, 200, addr, theStrangersWays)
		if got := answerIn(t, addr, aliveRequest); !strings.HasPrefix(got, map[string]string{"proxy": "502", "console": "200"}[name]) {
			t.Errorf("%s: the owner got %s", name, got)
		}
		held[0].SetDeadline(time.Now().Add(20 * time.Second))
		if text, _ := io.ReadAll(held[0]); !strings.Contains(string(text), "user_forbidden") {
			t.Errorf("%s: the first one was not told: %q", name, text)
		}
	}
	var status api.Status
	testkit.NoError(t, json.Unmarshal([]byte(fetch(t, proxy.Console+"/api/status")), &status))
	if away := status.TurnedAway; away.Proxy < 100 || away.Console < 100 || away.Proxy > 200 || away.Console > 200 {
		t.Errorf("turned away: %+v", away)
	}
	cmd := exec.Command(binary, "status")
	cmd.Dir, cmd.Env = proxy.Home, []string{"HOME=" + proxy.Home, "NO_COLOR=1"}
	if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), fmt.Sprintf("turned away       %d connections of other users to the proxy, %d to the console", status.TurnedAway.Proxy, status.TurnedAway.Console)) {
		t.Errorf("status says\n%s", out)
	}
	said := proxy.Stderr.String()
	for name := range doors {
		if !strings.Contains(said, "other users hold all the places for connections that are refused; their further connections are closed door="+name+" closed=1\n") {
			t.Errorf("nothing is logged of the %s:\n%s", name, said)
		}
	}
	if lines := strings.Count(said, "\n"); lines > 100 {
		t.Errorf("%d lines for 400 connections", lines)
	}
}

// A client key may let other users in, so they have more places then, but not all.
func TestPromise3_OtherUsersWithoutTheKeyShutNobodyOut(t *testing.T) {
	needAnotherUser(t)
	proxy := startWithFiles(t, fewFiles, usersConfig(openSocket(t), `client_key = "the-key-of-this-test"`))
	addr := strings.TrimPrefix(proxy.Proxy[0], "http://")
	holdAs(t, stranger, 200, addr, theStrangersWays)
	if got := answerIn(t, addr, "GET / HTTP/1.1\r\nHost: localhost\r\nAvsproxy-Key: the-key-of-this-test\r\n\r\n"); !strings.HasPrefix(got, "502") {
		t.Errorf("the owner got %s", got)
	}
}

// Whoever has the places and asks nothing makes room, as a monitor that never closes its
// connections.
func TestPromise3_IdleConnectionsShutNobodyOut(t *testing.T) {
	needAnotherUser(t)
	proxy := startWithFiles(t, fewFiles, usersConfig(openSocket(t), ""))
	addr := strings.TrimPrefix(proxy.Console, "http://")
	for _, uid := range []int{os.Getuid(), stranger} {
		holdAs(t, uid, 100, addr, func(int) string { return aliveRequest })
		for _, who := range []uint32{0, stranger} {
			if got := curlAs(t, who, "http://"+addr+"/livez"); !strings.Contains(got, " 200 ") {
				t.Errorf("uid %d holds all, uid %d got %s", uid, who, got)
			}
		}
	}
}

const aliveRequest = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
