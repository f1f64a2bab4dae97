package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/internal/testkit"
)

// speaking returns a client that speaks one protocol in the clear.
func speaking(t *testing.T, choose func(*http.Protocols)) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: &http.Protocols{}}
	choose(transport.Protocols)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func overHTTP1(p *http.Protocols) { p.SetHTTP1(true) }
func overHTTP2(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	testkit.NoError(t, err)
	return testkit.Body(t, resp)
}

// The same over HTTP/1.1, for one long field, many short ones, and a long target.
func TestHeadsOfHTTP1ThatAreTooLargeGetAProblem(t *testing.T) {
	address := serve(t, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was passed on") }))
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 70<<10), "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a:\r\n", 3000), "GET /" + strings.Repeat("x", 70<<10) + " HTTP/1.1\r\nHost: x",
	} {
		conn := testkit.Dial(t, address)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, head+"\r\n\r\n")
		resp := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
		if body := testkit.Body(t, resp); resp.StatusCode != 431 || !resp.Close || resp.Header.Get("Avsproxy-Error") != "head_too_large" || !strings.Contains(body, "cookies") {
			t.Errorf("%s %s", resp.Status, body)
		}
	}
}

// A head that is too large gets a problem, which says what to do.
func TestHeadsThatAreTooLargeGetAProblem(t *testing.T) {
	address := serve(t, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was passed on") }))
	conn := testkit.Dial(t, address)
	io.WriteString(conn, http2.ClientPreface)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", address}, {":path", "/"}, {"x-long", strings.Repeat("x", 70<<10)}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, BlockFragment: block.Next(16 << 10)})
	for block.Len() > 0 {
		framer.WriteContinuation(1, block.Len() <= 16<<10, block.Next(16<<10))
	}
	for text := ""; ; {
		frame := testkit.Must(framer.ReadFrame())(t)
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if status, code := f.PseudoValue("status"), f.RegularFields(); status != "431" {
				t.Fatalf("%s, %v", status, code)
			}
		case *http2.DataFrame:
			if text += string(f.Data()); f.StreamEnded() {
				if !strings.Contains(text, `"head_too_large"`) {
					t.Error(text)
				}
				return
			}
		}
	}
}

func TestRequestsKnowTheirProtocolAndStream(t *testing.T) {
	url := "http://" + serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		fmt.Fprintf(w, "%s %d %v %v", r.Proto, h2.StreamID(w), r.TLS != nil, strings.HasSuffix(r.Host, address.String()))
	}))
	old, new := speaking(t, overHTTP1), speaking(t, overHTTP2)
	for i, step := range []struct {
		client *http.Client
		want   string
	}{{old, "HTTP/1.1 0 false true"}, {new, "HTTP/2.0 1 false true"}, {new, "HTTP/2.0 3 false true"}} {
		if got := get(t, step.client, url); got != step.want {
			t.Errorf("%d: %s, want %s", i, got, step.want)
		}
	}
	serverConf, clientConf := testkit.TLSConfigs(t)
	address := serve(t, serverConf, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %d %s", r.Proto, h2.StreamID(w), r.TLS.ServerName)
	}))
	secure := &http.Transport{TLSClientConfig: clientConf, ForceAttemptHTTP2: true}
	defer secure.CloseIdleConnections()
	if got := get(t, &http.Client{Transport: secure}, "https://"+address); got != "HTTP/2.0 1 example.com" {
		t.Error(got)
	}
}

// Requests under way end well while the server leaves; its clients hear that they shall not
// send others.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "whole")
	}), DiscardLog())
	ln := testkit.Listen(t)
	Serve(server, []net.Listener{ln}, nil)
	defer server.Close()
	client, got := speaking(t, overHTTP2), make(chan string)
	go func() { got <- get(t, client, "http://"+ln.Addr().String()) }()
	<-entered
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := server.Shutdown(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request under way: %v", err)
	}
	if _, err := client.Get("http://" + ln.Addr().String()); err == nil {
		t.Error("it takes further requests")
	}
	close(leave)
	if text := <-got; text != "whole" {
		t.Error(text)
	}
	testkit.NoError(t, server.Shutdown(t.Context()))
}

// Close cuts what is under way, and connections whose protocol nobody knows yet.
func TestCloseCutsEverything(t *testing.T) {
	entered := make(chan struct{})
	server := New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), DiscardLog())
	ln := testkit.Listen(t)
	Serve(server, []net.Listener{ln}, nil)
	silent := testkit.Dial(t, ln.Addr().String())
	io.WriteString(silent, "PRI * HTTP/2.0\r\n")
	client, ended := speaking(t, overHTTP2), make(chan error)
	go func() {
		_, err := client.Get("http://" + ln.Addr().String())
		ended <- err
	}()
	<-entered
	server.Close()
	if err := <-ended; err == nil {
		t.Error("the request was answered")
	}
	silent.SetDeadline(time.Now().Add(20 * time.Second))
	if n, err := silent.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection that said little: %d bytes, %v", n, err)
	}
}

// connectTo returns the other end of a connection that a server serves, without a socket, so
// that the time of a test can be its own.
func connectTo(t *testing.T, handler http.Handler) net.Conn {
	ln := testkit.NewPipeListener()
	server := New(handler, DiscardLog())
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return ln.Dial()
}

func TestIdleConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := connectTo(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) }))
		defer conn.Close()
		go io.WriteString(conn, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+ // SETTINGS
			"\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x86\x84") // GET / on stream 1
		began := time.Now()
		framer := http2.NewFramer(io.Discard, conn)
		for {
			frame, err := framer.ReadFrame()
			testkit.NoError(t, err)
			if away, ok := frame.(*http2.GoAwayFrame); ok {
				if lasted := time.Since(began); lasted != time.Hour+idleTimeout || away.ErrCode != http2.ErrCodeNo {
					t.Errorf("%v after %v", away, lasted)
				}
				break
			}
		}
		if _, err := framer.ReadFrame(); err != io.EOF {
			t.Errorf("behind the GOAWAY: %v", err)
		}
	})
}

// Who does not say which protocol it speaks is cut off in time.
func TestHalfAPrefaceIsNotWaitedForWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := connectTo(t, http.NotFoundHandler())
		defer conn.Close()
		go io.WriteString(conn, http2.ClientPreface[:10])
		began := time.Now()
		io.Copy(io.Discard, conn)
		if lasted := time.Since(began); lasted < HeaderTimeout || lasted > 2*HeaderTimeout {
			t.Errorf("it lasted %v", lasted)
		}
	})
}

// A fault of ours costs one connection, not the program.
func TestPanicsStayInTheirConnection(t *testing.T) {
	said := testkit.NewBuffer()
	server := New(http.NotFoundHandler(), log.New(said, "", 0))
	server.ConnContext = func(context.Context, net.Conn) context.Context { panic("a fault") }
	ln := testkit.Listen(t)
	Serve(server, []net.Listener{ln}, nil)
	defer server.Close()
	for range 2 {
		if resp, err := speaking(t, overHTTP2).Get("http://" + ln.Addr().String()); err == nil {
			t.Error(resp.Status)
		}
	}
	if text := said.String(); !strings.Contains(text, "a fault") || !strings.Contains(text, "serveSession") {
		t.Errorf("it said %q", text)
	}
}

// So does one while a request is taken: the others go on.
func TestPanicsOfAcceptorsStayInTheirConnection(t *testing.T) {
	said := testkit.NewBuffer()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fine") })
	server := New(handler, log.New(said, "", 0))
	server.Relay = func(_ *exchange.Conn, bridge *h2.Bridge) h2.Acceptor {
		return func(st *h2.Stream, h *h2.Head, fin bool) {
			if h.Path == "/fault" {
				panic("a fault")
			}
			bridge.Accept(st, h, fin)
		}
	}
	address := serveBy(t, nil, server)
	for _, protocol := range []func(*http.Protocols){overHTTP1, overHTTP2} {
		client := speaking(t, protocol)
		client.Timeout = 5 * time.Second
		if resp, err := client.Get("http://" + address + "/fault"); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, %v", resp, err)
		}
		if body := testkit.Body(t, testkit.Must(client.Get("http://"+address))(t)); body != "fine" {
			t.Errorf("%q", body)
		}
	}
	testkit.Eventually(t, "both to be told", func() bool { return strings.Count(said.String(), "a fault") == 2 })
}
