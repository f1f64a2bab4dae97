package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/problem"
	"avsproxy/internal/testkit"
)

// announcements are the ways in which an HTTP/1.1 request says that a body follows.
var announcements = []string{
	"Content-Length: 100\r\n\r\n1", "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
	"Content-Length: 10000000\r\n\r\n1", "Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n",
	"Transfer-Encoding: chunked\r\n\r\n1\r\n", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
}

// aDoor is a place where requests get an answer of ours.
type aDoor struct {
	dial func() (net.Conn, error)
	head string // up to the fields that announce the body
	want string
}

// refusing is a proxy, and requests that each of its doors answers by itself.
func refusing(t *testing.T) map[string]aDoor {
	t.Helper()
	socket := filepath.Join(testkit.SocketDir(t), "s")
	proxy := startProxy(t, fmt.Sprintf(`
[proxy]
listen = ["localhost:0", "unix:%s"]
[console]
listen = "localhost:0"
[[route]]
name = "api"
upstream = "https://127.0.0.1:1"
dial_timeout = "1s"
allow = ["POST /ok*"]
[[route]]
name = "login"
upstream = "https://127.0.0.1:1"
credential = "c"
token_endpoint = true
[credential.c]
provider = "oauth2"
auth_url = "https://login.example/a"
token_url = "https://login.example/t"
client_id = "x"
redirect_url = "http://localhost:0/authresponse"
`, socket))
	tcp := func(url string) func() (net.Conn, error) {
		addr := url[strings.LastIndex(url, "/")+1:]
		return func() (net.Conn, error) { return net.Dial("tcp", addr) }
	}
	toProxy, toConsole := tcp(proxy.Proxy[0]), tcp(proxy.Console)
	toSocket := func() (net.Conn, error) { return net.Dial("unix", socket) }
	return map[string]aDoor{
		"unknown host":          {toProxy, "POST / HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"web page":              {toProxy, "POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n", "403"},
		"policy":                {toProxy, "PUT /no HTTP/1.1\r\nHost: localhost\r\n", "403"},
		"upstream":              {toProxy, "POST /ok HTTP/1.1\r\nHost: localhost\r\n", "502"},
		"login":                 {toProxy, "POST / HTTP/1.1\r\nHost: login.localhost\r\n", "503"},
		"other host":            {toProxy, "POST http://other.example/ HTTP/1.1\r\nHost: other.example\r\n", "403"},
		"CONNECT":               {toProxy, "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n", "400"}, // which has no body
		"inside CONNECT":        {inConnect(toProxy, false), "POST / HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"TLS inside CONNECT":    {inConnect(toProxy, true), "POST / HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"TLS":                   {overTLS(toProxy), "POST / HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"unix socket":           {toSocket, "POST / HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"console, no page":      {toConsole, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n", "404"},
		"console, no method":    {toConsole, "POST /livez HTTP/1.1\r\nHost: localhost\r\n", "405"},
		"console, a page":       {toConsole, "GET /status HTTP/1.1\r\nHost: localhost\r\n", "200"},
		"console, unknown host": {toConsole, "POST / HTTP/1.1\r\nHost: evil.example\r\n", "421"},
		"console, over TLS":     {overTLS(toConsole), "POST /api/logins HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n", "403"},
	}
}

func overTLS(dial func() (net.Conn, error)) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"http/1.1"}}), nil
	}
}

// inConnect goes through a CONNECT to the route.
func inConnect(dial func() (net.Conn, error), secure bool) func() (net.Conn, error) {
	inside := func() (net.Conn, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		io.WriteString(conn, "CONNECT api.localhost:443 HTTP/1.1\r\nHost: api.localhost:443\r\n\r\n")
		said := make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))
		_, err = io.ReadFull(conn, said)
		return conn, err
	}
	if secure {
		return overTLS(inside)
	}
	return inside
}

// What we answer by ourselves is there although its request goes on, and the connection
// is closed although its client stays. No other request waits, and no place stays taken.
func TestRefusalsDoNotWaitForTheRequestBody(t *testing.T) {
	doors := refusing(t)
	var asking sync.WaitGroup
	for name, door := range doors {
		for _, announced := range announcements {
			asking.Go(func() {
				for _, fault := range door.ask(announced) {
					t.Errorf("%s, %q: %v", name, announced, fault)
				}
			})
		}
	}
	asking.Wait()
}

// ask sends a request whose body goes on, one byte at a time, and does not end.
func (d aDoor) ask(announced string) []error {
	conn, err := d.dial()
	if err != nil {
		return []error{err}
	}
	defer conn.Close()
	began := time.Now()
	conn.SetDeadline(began.Add(15 * time.Second)) // a bound for what should not happen
	if _, err := io.WriteString(conn, d.head+announced); err != nil {
		return []error{err}
	}
	if strings.HasPrefix(announced, "Content") && !strings.Contains(announced, "Expect") {
		go func() {
			for {
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return []error{fmt.Errorf("no answer in %v: %w", time.Since(began), err)}
	}
	var faults []error
	body, err := io.ReadAll(resp.Body)
	if !strings.HasPrefix(resp.Status, d.want) || err != nil || !resp.Close {
		faults = append(faults, fmt.Errorf("%s, %v, %.100q", resp.Status, resp.Header, body))
	}
	if waited := time.Since(began); waited > httpserver.LingerTime-time.Second/2 && d.want != "502" {
		faults = append(faults, fmt.Errorf("the answer came after %v", waited))
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		faults = append(faults, errors.New("the connection was not cut"))
	}
	return faults
}

// A token request that is too long is no longer read.
func TestTokenEndpointRefusesWithoutWaitingForTheRequestBody(t *testing.T) {
	door := refusing(t)["login"]
	door.head, door.want = "POST /token HTTP/1.1\r\nHost: login.localhost\r\n", "400"
	for _, fault := range door.ask("Content-Length: 200000\r\n\r\n" + strings.Repeat("x", 65<<10)) {
		t.Error(fault)
	}
}

// Clients that send all before they read get their answer, too.
func TestRefusalsReachClientsThatSendTheirWholeBodyFirst(t *testing.T) {
	door := refusing(t)["unknown host"]
	conn := testkit.Must(door.dial())(t)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n", door.head, 8<<20)
	if n, err := conn.Write(make([]byte, 8<<20)); err != nil {
		t.Fatalf("%d bytes sent: %v", n, err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 421 {
		t.Errorf("%v, %v", resp, err)
	}
}

// piped serves a handler over pipes, whose time is that of a synctest bubble.
func piped(t *testing.T, handler http.Handler, secure *tls.Config) (dial func() net.Conn) {
	ln := testkit.NewPipeListener()
	server := httpserver.New(handler, httpserver.DiscardLog())
	httpserver.Serve(server, []net.Listener{ln}, secure)
	t.Cleanup(func() { server.Close() })
	return func() net.Conn {
		conn := ln.Dial()
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// answered sends a request and returns what came until the connection was cut, and when.
func answered(conn net.Conn, request string) (answer string, after time.Duration) {
	began := time.Now()
	io.WriteString(conn, request)
	text, _ := io.ReadAll(conn)
	return string(text), time.Since(began)
}

func TestConnectionsAreCutInTime(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { problem.Problem{Code: problem.NotAllowed}.Write(w) })
	abort := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "begun")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	for name, c := range map[string]struct {
		handler http.Handler
		expect  string
		status  string
		within  time.Duration
	}{
		"refused":           {refuse, "", "403", httpserver.LingerTime + time.Second},
		"refused, expected": {refuse, "100-continue", "403", httpserver.LingerTime + time.Second},
		"a page":            {httpserver.OwnAnswers(http.NotFoundHandler()), "", "404", httpserver.LingerTime + time.Second},
		"aborted":           {httpserver.OwnAnswers(abort), "", "200", time.Second},
		"no handler":        {refuse, "the moon", "400", httpserver.HeaderTimeout + time.Second},
	} {
		for _, length := range []string{"Content-Length: 9", "Transfer-Encoding: chunked"} {
			synctest.Test(t, func(t *testing.T) {
				answer, after := answered(piped(t, c.handler, nil)(), "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: "+c.expect+"\r\n"+length+"\r\n\r\n")
				if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status) || after > c.within {
					t.Errorf("%s, %s: after %v: %q", name, length, after, answer)
				}
			})
		}
	}
}

// What an upstream answers early leaves its client the time that it takes.
func TestUpstreamsAnswersAreNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := piped(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			io.WriteString(w, "early")
		}), nil)()
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.Close {
			t.Fatalf("%v, %v", resp, err)
		}
		if text, err := io.ReadAll(resp.Body); string(text) != "early" || err != nil {
			t.Fatalf("%q, %v", text, err)
		}
		time.Sleep(time.Minute)
		if _, err := io.WriteString(conn, "2"); err != nil {
			t.Error("nobody read on:", err)
		}
	})
}

// A request that a handler still serves has no time limit. The limits are for bodies that no
// handler reads.
func TestLongRequestsAreNotCut(t *testing.T) {
	authority := testkit.Must(certs.New("test authority"))(t)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Hour)
		text, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v", r.Proto, text, err)
	})
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for _, secure := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				dial := piped(t, slow, authority.ServerConfig())
				var protocols http.Protocols
				protocols.SetHTTP1(version == "HTTP/1.1")
				protocols.SetHTTP2(version == "HTTP/2.0" && secure)
				protocols.SetUnencryptedHTTP2(version == "HTTP/2.0" && !secure)
				transport := &http.Transport{
					Protocols:       &protocols,
					DialContext:     func(context.Context, string, string) (net.Conn, error) { return dial(), nil },
					TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
				}
				defer transport.CloseIdleConnections()
				body, upload := io.Pipe()
				go func() {
					time.Sleep(2 * time.Hour)
					io.WriteString(upload, "late")
					upload.Close()
				}()
				resp, err := (&http.Client{Transport: transport}).Post(map[bool]string{false: "http", true: "https"}[secure]+"://localhost/", "", body)
				if err != nil {
					t.Fatal(version, secure, err)
				}
				defer resp.Body.Close()
				if text, err := io.ReadAll(resp.Body); err != nil || string(text) != version+" late <nil>" {
					t.Errorf("%q, %v", text, err)
				}
			})
		}
	}
}

// A connection goes on behind an answer of ours, when its request is whole.
func TestRefusalsOfWholeRequestsKeepTheConnection(t *testing.T) {
	door := httpserver.NewPages(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", body, r.Trailer)
	}), httpserver.DiscardLog())
	ln := testkit.Listen(t)
	httpserver.Serve(door, []net.Listener{ln}, nil)
	defer door.Close()
	conn := testkit.Dial(t, ln.Addr().String())
	reader := bufio.NewReader(conn)
	for range 3 {
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\nUnannounced: yes\r\n\r\n")
		resp, err := http.ReadResponse(reader, nil)
		if err != nil || resp.Close {
			t.Fatalf("%v, %v", resp, err)
		}
		if text, _ := io.ReadAll(resp.Body); !bytes.Equal(text, []byte("all map[Unannounced:[yes]]")) {
			t.Errorf("%q", text)
		}
	}
}
