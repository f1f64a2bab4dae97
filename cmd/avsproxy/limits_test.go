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
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/app"
	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
)

// The figure of docs/security.md.
const memoryMost = 1 << 30

func TestPromise7_C24_IdleConnectionsAndSlowReadersStayWithinMemory(t *testing.T) {
	if raceEnabled || app.OpenFiles() < 4<<10 {
		t.Skip("needs a plain build and 4,096 files")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the system does not tell how much memory a process holds")
	}
	pid, address := startChild(t, endlessUpstream(t))
	before := resident(t, pid)
	slow, watched := 1_000, 2*time.Second
	many := min(10_000, app.ProxyConnections(app.OpenFiles())-slow-20)
	if !testkit.IsHeavy() {
		many, slow, watched = min(many, 1_000), 100, 500*time.Millisecond
	}
	openMany(t, address, many, "GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n")
	idle := resident(t, pid)
	openMany(t, address, slow, "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
	most := 0
	for range watched / (100 * time.Millisecond) { // the buffers fill up meanwhile
		time.Sleep(100 * time.Millisecond)
		most = max(most, resident(t, pid))
	}
	t.Logf("%d MiB at the start, %d with %d idle connections, %d with %d slow readers besides", before>>20, idle>>20, many, most>>20, slow)
	if most > memoryMost {
		t.Errorf("%d bytes", most)
	}
}

// Over HTTP/2 a client that reads nothing costs what its window says.
func TestPromise7_C24_ClientsOverHTTP2ThatReadNothingStayWithinMemory(t *testing.T) {
	testkit.Heavy(t)
	if raceEnabled || app.OpenFiles() < 4<<10 {
		t.Skip("needs a plain build and 4,096 files")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the system does not tell how much memory a process holds")
	}
	pid, address := startChild(t, endlessUpstream(t))
	before, n := resident(t, pid), min(5_000, app.ProxyConnections(app.OpenFiles())-20)
	request := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + // SETTINGS
		"\x00\x00\x17\x01\x05\x00\x00\x00\x01\x82\x86\x04\x08/endless\x01\x09localhost"
	for range n {
		conn := testkit.Dial(t, address)
		io.WriteString(conn, request)
	}
	most := 0
	for range 40 { // the buffers fill up meanwhile
		time.Sleep(100 * time.Millisecond)
		most = max(most, resident(t, pid))
	}
	t.Logf("%d MiB at the start, %d with %d clients, %d KiB each", before>>20, most>>20, n, (most-before)/n>>10)
	if limit := n * 140_000; most > limit { // 700 MB for 5,000, garbage included; a quiet machine takes 550
		t.Errorf("%d MiB of %d", most>>20, limit>>20)
	}
}

// endlessUpstream is an API over HTTP/2 whose answers do not end, and its route.
func endlessUpstream(t *testing.T) (config string) {
	server := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		for r.URL.Path == "/endless" {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	return fmt.Sprintf("[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"api\"\nupstream = %q\nca_file = %q\n", server.URL, testkit.CertFile(t, server))
}

// startChild runs the built program, whose memory is its own.
func startChild(t *testing.T, config string) (pid int, address string) {
	dir := newHome(t, config)
	cmd := exec.Command(binary, "serve", "--json")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "NO_COLOR=1"}
	out := testkit.Must(cmd.StdoutPipe())(t)
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var ready servedAt
	testkit.NoError(t, json.NewDecoder(out).Decode(&ready))
	return cmd.Process.Pid, strings.TrimPrefix(ready.Proxy[0], "http://")
}

// openMany opens connections, sends a request on each and reads the head of the
// answer alone.
func openMany(t *testing.T, address string, n int, request string) {
	t.Helper()
	var opening sync.WaitGroup
	for range 20 {
		opening.Go(func() {
			for range n / 20 {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { conn.Close() })
				conn.SetDeadline(time.Now().Add(time.Minute))
				io.WriteString(conn, request)
				if resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", resp, err)
					return
				}
			}
		})
	}
	opening.Wait()
}

// resident is how much memory a process holds, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text := testkit.Must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t)
	found := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no VmRSS in %s", text)
	}
	kib, _ := strconv.Atoi(string(found[1]))
	return kib << 10
}
