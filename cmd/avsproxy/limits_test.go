package main

import (
	"bufio"
	"encoding/json"
	"errors"
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
	"sync/atomic"
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

// What clients do not read stays within [proxy] memory, however large they say their windows
// are. Those that hold most are ended; a client that reads is served meanwhile.
func TestPromise7_C24_TheMemoryOfAllConnectionsHasABound(t *testing.T) {
	if raceEnabled || app.OpenFiles() < 4<<10 {
		t.Skip("needs a plain build and 4,096 files")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the system does not tell how much memory a process holds")
	}
	const memory, slack = 64 << 20, 68 << 20 // what the program takes besides, garbage of a starved collector included
	begin, requests := make(chan struct{}), new(atomic.Int32)
	conf := strings.Replace(endlessFrom(t, begin, requests), "[proxy]", "[proxy]\nmemory = \"64MiB\"", 1)
	pid, address := startChild(t, conf+"[capture]\nenabled = false\n")
	var using sync.WaitGroup
	for range 20 {
		using.Go(func() {
			for range 20 {
				if resp, err := http.Get("http://" + address + "/small"); err == nil {
					resp.Body.Close()
				}
			}
		})
	}
	using.Wait()
	before := resident(t, pid)
	request := http2.ClientPreface + "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x7f\xff\xff\xff" + // SETTINGS: the largest window
		"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + "\x7f\xff\x00\x00" // and the connection's
	for _, id := range "\x01\x03\x05\x07" {
		request += "\x00\x00\x17\x01\x05\x00\x00\x00" + string(id) + "\x82\x86\x04\x08/endless\x01\x09localhost"
	}
	most, answered, ended := 0, 0, 0
	var conns []net.Conn
	for range 400 {
		conn := testkit.Dial(t, address)
		io.WriteString(conn, request)
		conns = append(conns, conn)
	}
	testkit.Eventually(t, "all requests to be let in", func() bool { return int(requests.Load()) == 4*len(conns) })
	close(begin)
	for range 20 {
		time.Sleep(50 * time.Millisecond) // the buffers fill up meanwhile
		most = max(most, resident(t, pid))
		if resp, err := http.Get("http://" + address + "/small"); err == nil {
			resp.Body.Close()
			if answered++; resp.StatusCode != http.StatusOK && resp.Header.Get("Avsproxy-Error") != "busy" {
				t.Errorf("%s", resp.Status)
			}
		}
	}
	testkit.Eventually(t, "the memory to be used up", func() bool { // before endedOf reads, which makes room
		most = max(most, resident(t, pid))
		return most > before+memory
	})
	testkit.Eventually(t, "some of them to be ended", func() bool {
		ended = endedOf(conns)
		most = max(most, resident(t, pid))
		return ended > 0
	})
	for _, conn := range conns {
		conn.Close()
	}
	t.Logf("%d MiB at the start, %d with 400 clients, of which %d were ended; %d requests besides", before>>20, most>>20, ended, answered)
	if most > memory+slack || answered < 20 || ended == 0 {
		t.Errorf("%d MiB of %d, %d of 20 answered, %d ended", most>>20, (memory+slack)>>20, answered, ended)
	}
	testkit.Eventually(t, "a request to be answered again", func() bool {
		resp, err := http.Get("http://" + address + "/small")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if !testkit.IsHeavy() {
		return
	}
	time.Sleep(time.Minute)
	if after := resident(t, pid); after > before+before/5 {
		t.Errorf("a minute later %d KiB are held, %d were before", after>>10, before>>10)
	} else {
		t.Logf("a minute later %d KiB, %d before", after>>10, before>>10)
	}
}

// endedOf is how many connections the server has ended.
func endedOf(conns []net.Conn) (ended int) {
	for _, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := io.Copy(io.Discard, conn); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			ended++
		}
	}
	return ended
}

// endlessUpstream is an API over HTTP/2 whose answers do not end, and its route.
func endlessUpstream(t *testing.T) (config string) {
	begun := make(chan struct{})
	close(begun)
	return endlessFrom(t, begun, new(atomic.Int32))
}

// endlessFrom is one whose answers begin when begin is closed. It counts its requests.
func endlessFrom(t *testing.T, begin <-chan struct{}, requests *atomic.Int32) (config string) {
	server := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		for r.URL.Path == "/endless" {
			requests.Add(1)
			<-begin
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
