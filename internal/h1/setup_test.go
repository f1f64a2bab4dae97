package h1

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/h2"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A seen request is one as its server framed it.
type seen struct {
	Method, Target, Body string
}

// A reading is what a server made of the bytes of one connection: the requests that it took
// whole, and what it sent.
type reading struct {
	requests []seen
	answers  string
}

// A judge reads requests by its own rules.
type judge interface {
	read(t testing.TB, text string) reading
}

// notes collect the requests of one connection.
type notes struct {
	mu  sync.Mutex
	all []seen
}

// ServeHTTP implements [http.Handler].
func (n *notes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	n.all = append(n.all, seen{r.Method, r.RequestURI, string(body)})
	n.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	io.WriteString(w, "ok")
}

func (n *notes) taken() []seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all
}

// ours is this package, with a handler of net/http behind it.
type ours struct{}

func (ours) read(t testing.TB, text string) reading {
	n := &notes{}
	return speak(t, text, n, func(conn net.Conn) {
		serveOurs(conn, n)
	})
}

// serveOurs serves one connection until it ends.
func serveOurs(conn net.Conn, handler http.Handler) {
	bridge := &h2.Bridge{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	session := Server(new(h2.Group), conn, h2.Config{Accept: bridge.Accept, Refuse: refuse})
	_ = session.Serve()
	bridge.Wait()
}

// refuse answers with what is wrong.
func refuse(st *h2.Stream, why error) {
	text := why.Error()
	bridge := &h2.Bridge{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, 400) })}
	bridge.Accept(st, &h2.Head{Method: "GET", Scheme: "http", Authority: "-", Path: "/", Length: -1}, st.InEnded())
}

// standard is net/http's server.
type standard struct{}

func (standard) read(t testing.TB, text string) reading {
	n := &notes{}
	return speak(t, text, n, func(conn net.Conn) {
		ln := &oneConn{conn: conn, closed: make(chan struct{})}
		server := &http.Server{Handler: n, ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true, ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				ln.Close()
			}
		}}
		_ = server.Serve(ln)
	})
}

// speak sends the text to a server, and nothing more behind it.
func speak(t testing.TB, text string, n *notes, serve func(net.Conn)) reading {
	t.Helper()
	server, client := pair(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		serve(server)
		server.Close()
	}()
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		io.WriteString(client, text)
		_ = client.(*net.TCPConn).CloseWrite()
	}()
	answers, err := io.ReadAll(client)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%q: %v", text, err)
	}
	<-ended
	return reading{n.taken(), string(answers)}
}

// pair is both ends of a connection.
func pair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	ln := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer ln.Close()
	client = testkit.Must(net.Dial("tcp", ln.Addr().String()))(t)
	return testkit.Must(ln.Accept())(t), client
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	given  sync.Once
	closed chan struct{}
}

func (l *oneConn) Accept() (conn net.Conn, err error) {
	l.given.Do(func() { conn = l.conn })
	if conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// differ says where we took a request that the judge did not frame alike; empty = nowhere.
// What the judge refused is no other framing.
func differ(own, other []seen) string {
	for i, mine := range own {
		if i < len(other) && other[i] != mine {
			return fmt.Sprintf("request %d is %+v here, and %+v there", i+1, mine, other[i])
		}
	}
	return ""
}
