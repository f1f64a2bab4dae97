package h1

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

// nodeServer answers each request with 200, and says at the end of a connection, on stdout, which
// requests it took whole. Without a listener for them, Node takes an upgrade for a request like
// others, and closes the connection of a CONNECT.
const nodeServer = `
const http = require('http');
const taken = new WeakMap();
const server = http.createServer((request, answer) => {
  const seen = {Method: request.method, Target: request.url};
  taken.get(request.socket).push(seen);
  const chunks = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => {
    seen.Body = Buffer.concat(chunks).toString('latin1');
    answer.end('ok');
  });
  request.on('error', () => {});
});
server.keepAliveTimeout = 50;
server.timeout = 1500;
server.on('connection', socket => {
  taken.set(socket, []);
  socket.on('close', () => {
    const all = taken.get(socket);
    const cut = all.findIndex(seen => !('Body' in seen));
    console.log(JSON.stringify(cut < 0 ? all : all.slice(0, cut)));
  });
});
server.on('checkContinue', (request, answer) => { answer.writeContinue(); server.emit('request', request, answer); });
server.on('clientError', (error, socket) => socket.destroyed || socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`

// A node is Node's server, whose parser is llhttp.
type node struct {
	mu      sync.Mutex
	address string
	said    *bufio.Reader
}

func newNode(t testing.TB) *node {
	t.Helper()
	program := testkit.NeedTool(t, "node")
	script := filepath.Join(t.TempDir(), "server.js")
	testkit.NoError(t, os.WriteFile(script, []byte(nodeServer), 0o600))
	cmd := exec.Command(program, script)
	out := testkit.Must(cmd.StdoutPipe())(t)
	cmd.Stderr = os.Stderr
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	n := &node{said: bufio.NewReaderSize(out, 1<<20)}
	port := testkit.Must(n.said.ReadString('\n'))(t)
	n.address = "127.0.0.1:" + port[:len(port)-1]
	return n
}

func (n *node) read(t testing.TB, text string) (r reading) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	conn := testkit.Must(net.Dial("tcp", n.address))(t)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, text)
	_ = conn.(*net.TCPConn).CloseWrite()
	answers, _ := io.ReadAll(conn)
	conn.Close()
	r.answers = string(answers)
	line := testkit.Must(n.said.ReadBytes('\n'))(t)
	testkit.NoError(t, json.Unmarshal(line, &r.requests))
	for i, one := range r.requests {
		r.requests[i].Body = fromLatin1(one.Body)
	}
	return r
}

// fromLatin1 gives the bytes back that were one character each.
func fromLatin1(text string) string {
	var b []byte
	for _, c := range text {
		b = append(b, byte(c))
	}
	return string(b)
}
