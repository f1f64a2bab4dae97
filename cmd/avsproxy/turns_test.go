package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"avsproxy/internal/problem"
	"avsproxy/proxy"
)

// A client that sends no more while its request waits is cut off: the request was never
// sent, so nobody may say that it went well.
func TestRequestsThatWereNeverSentAreNotAnswered(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := (&underWay{}).counted(1, 9, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	server := httptest.NewUnstartedServer(nil)
	server.Config = newServer(handler, quiet())
	server.Start()
	defer server.Close()
	defer close(leave)
	ask := func(framing string) net.Conn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\n"+framing+"\r\n\r\n")
		return conn
	}
	ask("Content-Length: 0")
	<-entered
	for range 20 {
		conn := ask("Content-Length: 0")
		conn.(*net.TCPConn).CloseWrite()
		if text, _ := io.ReadAll(conn); len(text) > 0 {
			t.Errorf("it got %q", text)
		}
	}
}

func TestHalfClosedRequestsGetTheUpstreamsAnswerOrNone(t *testing.T) {
	g := startTarget(t, "")
	g.answer = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("From", "upstream") }
	for range 200 {
		conn, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		conn.(*net.TCPConn).CloseWrite()
		if text, _ := io.ReadAll(conn); len(text) > 0 && !strings.Contains(string(text), "From: upstream") {
			t.Errorf("it got %q", text)
		}
		conn.Close()
	}
}

// A client that is gone before its turn is asked for gets no place, and no answer.
func TestThoseWhoAreGoneLeaveTheQueue(t *testing.T) {
	places, queue := make(chan struct{}, 1), make(chan struct{}, 1)
	places <- struct{}{}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		func() {
			defer func() {
				if how := recover(); how != http.ErrAbortHandler {
					t.Errorf("it ended with %v", how)
				}
			}()
			takeTurn(gone, places, queue)
		}()
	}
	if len(queue) != 0 {
		t.Error("it is in the queue")
	}
	<-places
	for range 100 {
		if !takeTurn(gone, places, queue) { // which the rest of the way will see
			t.Error("a place was free")
		}
		<-places
	}
}

func TestRequestsBeyondThoseThatWaitAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := make(chan struct{})
		told := make(chan problem.Problem, 9)
		full := busy("it is full", func(_ *http.Request, p problem.Problem) { told <- p })
		handler := (&underWay{}).counted(1, 2, full, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-leave }))
		for range 3 {
			go handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}
		synctest.Wait()
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
		if h := answer.Header(); answer.Code != 503 || h.Get("Avsproxy-Error") != "busy" || h.Get("Retry-After") != "1" || (<-told).Code != problem.Busy {
			t.Errorf("%d %v", answer.Code, h)
		}
		close(leave)
	})
}

func TestRefusalsAreLoggedSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := newLockedBuffer()
		refusals := &sparingLog{log: slog.New(slog.NewTextHandler(said, nil))}
		flood := func() int {
			for range 1000 {
				refusals.warn("user_forbidden", "GET /", "status", 403)
			}
			synctest.Wait()
			return strings.Count(said.String(), "msg=\"GET /\"")
		}
		if n := flood(); n != 16 {
			t.Errorf("%d lines at once", n)
		}
		time.Sleep(proxy.PaceEvery + time.Second)
		synctest.Wait()
		if text := said.String(); !strings.Contains(text, "error=user_forbidden left_out=984") {
			t.Errorf("it is not said how many were left out:\n%s", text)
		}
		if n := flood(); n != 17 {
			t.Errorf("%d lines after a minute", n)
		}
		time.Sleep(2 * proxy.PaceEvery)
		refusals.warn("user_forbidden", "GET /", "status", 403)
		if text := said.String(); strings.Count(text, "left_out=999") != 1 {
			t.Errorf("999 were left out:\n%s", text)
		}
	})
}

// What is inside CONNECT over HTTP/2 takes a place like any other connection.
func TestPromise7_ConnectionsInsideConnectAreBounded(t *testing.T) {
	proxy := startWithFiles(t, 128, "[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"api\"\nupstream = \"https://api.example\"\n")
	conn, err := net.Dial("tcp", strings.TrimPrefix(proxy.Proxy[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	const tunnels = 100
	for i := range tunnels {
		head.Reset()
		encoder.WriteField(hpack.HeaderField{Name: ":method", Value: "CONNECT"})
		encoder.WriteField(hpack.HeaderField{Name: ":authority", Value: "api.localhost:443"})
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: head.Bytes(), EndHeaders: true})
	}
	answers := map[string]int{}
	decoder := hpack.NewDecoder(4096, nil)
	for n := 0; n < tunnels; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("after %v: %v", answers, err)
		}
		if frame, ok := frame.(*http2.HeadersFrame); ok {
			fields, err := decoder.DecodeFull(frame.HeaderBlockFragment())
			if err != nil {
				t.Fatal(err)
			}
			answers[summary(fields)]++
			n++
		}
	}
	if places := 128/2 - 1; answers["200"] != places || answers["503 busy 1"] != tunnels-places {
		t.Errorf("%v", answers)
	}
}

// summary is what an answer says by its head.
func summary(fields []hpack.HeaderField) string {
	said := map[string]string{}
	for _, field := range fields {
		said[field.Name] = field.Value
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", said[":status"], said["avsproxy-error"], said["retry-after"]))
}
