package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/h2"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"

	"golang.org/x/net/http2"
)

// skipStandard is for what net/http's server cannot do.
func skipStandard(t *testing.T) {
	t.Helper()
	if isStandard() {
		t.Skip("the standard engine is net/http's")
	}
}

// verbatim is an upstream of HTTP/2 that notes fields in the order of the wire, and answers with
// its own.
type verbatim struct {
	heads   chan []string
	answers []h2.Field
	body    string
}

// start returns the upstream's origin, and a proxy before it.
func (v *verbatim) start(t *testing.T, p plan) *line {
	t.Helper()
	server := testkit.TLSServer(t, http.NotFoundHandler()) // for its certificate
	ln := testkit.Listen(t)
	conf := server.TLS.Clone()
	conf.NextProtos = []string{"h2"}
	testkit.ServeConns(t, ln, func(conn net.Conn) {
		secure := tls.Server(conn, conf)
		session := new(h2.Group).Server(secure, h2.Config{Accept: v.accept})
		_ = session.Serve()
	})
	return build(t, "https://"+ln.Addr().String(), testkit.Pool(server), p)
}

func (v *verbatim) accept(st *h2.Stream, head *h2.Head, _ bool) {
	var lines []string
	for _, f := range head.Fields {
		lines = append(lines, f.Name+": "+f.Value)
	}
	v.heads <- append([]string{head.Method + " " + head.Path}, lines...)
	st.SetEnd(ignore{})
	st.SendHead(v.answers, v.body == "")
	if v.body != "" {
		st.SendData([]byte(v.body), true)
	}
}

type ignore struct{}

func (ignore) Head(*h2.Head, bool)  {}
func (ignore) Data([]byte, bool)    {}
func (ignore) Trailer([]h2.Field)   {}
func (ignore) Reset(*h2.ResetError) {}

// said sends bytes on a connection of its own, and returns all that came until its end.
func (l *line) said(t *testing.T, text string) string {
	t.Helper()
	conn := testkit.Dial(t, l.addr)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, text)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%q, %v", answer, err)
	}
	return string(answer)
}

func TestHTTP1_FieldsKeepOrderAndValues(t *testing.T) {
	skipStandard(t)
	v := &verbatim{heads: make(chan []string, 9), body: "x", answers: []h2.Field{
		{Name: ":status", Value: "207"}, {Name: "z-last", Value: "1"}, {Name: "a-first", Value: "2"}, {Name: "z-last", Value: "3"}, {Name: "x-empty", Value: ""},
	}}
	l := v.start(t, plan{source: static()})
	answer := l.said(t, "GET /b/a?q HTTP/1.1\r\nZ-Last: 1\r\nhost: localhost\r\nX-aBc:2\r\nz-LAST: \t3 \t\r\nX-Empty:\r\nTE: trailers, deflate\r\n"+
		"Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\nProxy-Connection: x\r\nAuthorization: mine\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n")
	want := []string{"GET /b/a?q", "z-last: 1", "x-abc: 2", "z-last: 3", "x-empty: ", "cookie: a=b", "cookie: c=d", "te: trailers", "authorization: Bearer " + canary}
	if got := <-v.heads; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the upstream got\n%s", strings.Join(got, "\n"))
	}
	if want := "HTTP/1.1 207 Multi-Status\r\nZ-Last: 1\r\nA-First: 2\r\nZ-Last: 3\r\nX-Empty: \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n"; answer != want {
		t.Errorf("the client got\n%s", answer)
	}
}

// What a client asks for is what the upstream is asked for, to the byte, or it is refused.
func TestHTTP1_TargetsGoOnByteForByte(t *testing.T) {
	skipStandard(t)
	targets := []string{
		"/", "//a//b/", "/a|b%2Fc", "/%2f%2F?%2F|", "/a?b?c", "/?", "/\"<>[]^`{}\\", "/\xc3\xbc/\xff", "/./../a/%2e%2e", "/;a=b;c", "/a:b@c", "/%00", "*",
		"http://localhost/a|b%2Fc?d", "http://localhost?a", "http://localhost",
	}
	for _, heals := range []bool{false, true} {
		for _, http1 := range []bool{false, true} {
			for _, target := range targets {
				t.Run(fmt.Sprintf("heals=%t/http1=%t/%s", heals, http1, target), func(t *testing.T) { goesOn(t, target, heals, http1) })
			}
		}
	}
}

func goesOn(t *testing.T, target string, heals, http1 bool) {
	var arrived []string
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if arrived = append(arrived, r.Method+" "+r.RequestURI); heals && len(arrived) == 1 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}), protocolOf(http1))
	p := plan{source: static()}
	if heals {
		p.source, p.credential.HealOn = renewing(works), []int{401}
	}
	l := build(t, origin, roots, p)
	method, want := "GET", strings.TrimPrefix(target, "http://localhost")
	if target == "*" {
		method = "OPTIONS"
	}
	if want == "" || want[0] == '?' {
		want = "/" + want
	}
	answer := l.said(t, method+" "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200 ") || slices.ContainsFunc(arrived, func(got string) bool { return got != method+" "+want }) || len(arrived) != 1+map[bool]int{true: 1}[heals] {
		t.Errorf("the upstream was asked for %q; %.300s", arrived, answer)
	}
}

// A client that says no more than its request still wants the answer (RFC 9112 section 9.6).
func TestHTTP1_HalfClosedClientsGetTheirAnswer(t *testing.T) {
	skipStandard(t)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write([]byte("first "))
		http.NewResponseController(w).Flush()
		time.Sleep(200 * time.Millisecond)
		w.Write(append([]byte("last "), body...))
	}))
	l := build(t, origin, roots, plan{source: static()})
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
	} {
		conn := testkit.Dial(t, l.addr)
		io.WriteString(conn, text)
		testkit.NoError(t, conn.(*net.TCPConn).CloseWrite())
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		resp := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
		body, err := io.ReadAll(resp.Body)
		if want := "first last " + map[bool]string{true: "body"}[text[0] == 'P']; err != nil || string(body) != want {
			t.Errorf("%q: %q, %v", text, body, err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("the connection goes on: %d, %v", n, err)
		}
	}
}

// A request that stops in its middle is none.
func TestHTTP1_RequestsThatStopInTheMiddleAreNotSentOn(t *testing.T) {
	skipStandard(t)
	ended := make(chan error, 9)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		ended <- err
	}))
	l := build(t, origin, roots, plan{source: static()})
	get(t, h1Client(t), l.url) // so that there is a connection
	<-ended
	for _, text := range []string{"Content-Length: 5\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n"} {
		conn := testkit.Dial(t, l.addr)
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\n"+text)
		testkit.NoError(t, conn.(*net.TCPConn).CloseWrite())
		if err := testkit.Receive(t, "the upstream", ended); err == nil {
			t.Errorf("%q passed for whole", text)
		}
		conn.Close()
	}
	if got := l.said(t, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Error(got)
	}
}

// A client that resets its connection is seen upstream, however little is said.
func TestHTTP1_ClientsThatAreGoneAreNoticed(t *testing.T) {
	skipStandard(t)
	arrived, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}))
	l := build(t, origin, roots, plan{source: static()})
	for name, leave := range map[string]func(*net.TCPConn){
		"reset":             func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		"closed":            func(c *net.TCPConn) { c.Close() },
		"half, then closed": func(c *net.TCPConn) { c.CloseWrite(); time.Sleep(50 * time.Millisecond); c.Close() },
		"half, then reset":  func(c *net.TCPConn) { c.CloseWrite(); time.Sleep(50 * time.Millisecond); c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			conn := testkit.Must(net.Dial("tcp", l.addr))(t)
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			<-arrived
			leave(conn.(*net.TCPConn))
			testkit.Receive(t, "the upstream to know", gone)
		})
	}
}

// The head of an answer waits for no piece of the upload, and no piece for the answer.
func TestHTTP1_AnswersOverlapUploadsThatWereExpected(t *testing.T) {
	skipStandard(t)
	for _, http1 := range []bool{false, true} {
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			control.EnableFullDuplex()
			piece := make([]byte, 1)
			for range 3 {
				if _, err := io.ReadFull(r.Body, piece); err != nil {
					return
				}
				w.Write(piece)
				control.Flush()
			}
		}), protocolOf(http1))
		l := build(t, origin, roots, plan{source: static()})
		conn := testkit.Dial(t, l.addr)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		in := bufio.NewReader(conn)
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
		if got := testkit.Must(in.ReadString('\n'))(t) + testkit.Must(in.ReadString('\n'))(t); got != "HTTP/1.1 100 Continue\r\n\r\n" {
			t.Fatalf("%q", got)
		}
		io.WriteString(conn, "1\r\na\r\n")
		resp := testkit.Must(http.ReadResponse(in, nil))(t)
		for i, next := range []string{"1\r\nb\r\n", "1\r\nc\r\n0\r\n\r\n", ""} {
			piece := make([]byte, 1)
			if _, err := io.ReadFull(resp.Body, piece); err != nil || piece[0] != "abc"[i] {
				t.Fatalf("http1=%t: piece %d: %q, %v", http1, i, piece, err)
			}
			io.WriteString(conn, next)
		}
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	}
}

func TestHTTP1_TrailersComeWhereTheyAreTaken(t *testing.T) {
	skipStandard(t)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Content-Length", "4")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "abc")
	}))
	l := build(t, origin, roots, plan{source: static()})
	for fields, want := range map[string]string{
		"TE: trailers\r\n":              "4\r\nbody\r\n0\r\nX-Sum: abc\r\n\r\n",
		"TE: deflate, Trailers;q=1\r\n": "body", // a parameter is not of that word
		"":                              "body",
	} {
		answer := l.said(t, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+fields+"\r\n")
		head, body, _ := strings.Cut(answer, "\r\n\r\n")
		if body != want || strings.Contains(head, "Trailer:") != (want != "body") || strings.Contains(head, "Content-Length: 4") != (want == "body") {
			t.Errorf("%q: %q", fields, answer)
		}
	}
}

// Answers that have no body keep what they say about one.
func TestHTTP1_AnswersWithoutABody(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/304":
				w.Header().Set("Content-Length", "12")
				w.WriteHeader(304)
			case "/204":
				w.WriteHeader(204)
			case "/205":
				w.WriteHeader(205)
			default:
				w.Header().Set("Content-Length", "12")
			}
		}), protocolOf(http1))
		l := build(t, origin, roots, plan{source: static()})
		for request, want := range map[string]string{
			"GET /304": "12", "GET /204": "", "GET /205": "0", "HEAD /": "12", "HEAD /304": "12", "HEAD /204": "",
		} {
			conn := testkit.Dial(t, l.addr)
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			in := bufio.NewReader(conn)
			for range 2 { // so that the next answer is found
				io.WriteString(conn, request+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
				method, _, _ := strings.Cut(request, " ")
				resp := testkit.Must(http.ReadResponse(in, &http.Request{Method: method}))(t)
				dropped := (http1 || isStandard()) && strings.HasSuffix(request, "/304") // by net/http's server
				if got := resp.Header.Get("Content-Length"); got != want && !dropped || len(resp.TransferEncoding) > 0 || resp.Close {
					t.Errorf("http1=%t %s: length %q, want %q; %v", http1, request, got, want, resp)
				}
			}
		}
	}
}

// An answer that was cut does not pass for a whole one, in any framing.
func TestHTTP1_CutAnswersAreTold(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", "100")
		}
		io.WriteString(w, "half of it")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	l := build(t, origin, roots, plan{source: static()})
	for _, text := range []string{"GET / HTTP/1.1", "GET /sized HTTP/1.1", "GET / HTTP/1.0", "GET /sized HTTP/1.0"} {
		conn := testkit.Dial(t, l.addr)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, text+"\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			continue // the reset has overtaken it
		}
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: %q passes for whole", text, body)
		}
	}
}

// Requests that are sent without waiting are answered in their order, and those behind one that
// takes long cost no more than a buffer.
func TestHTTP1_PipelinedRequestsWait(t *testing.T) {
	skipStandard(t)
	hold := make(chan struct{})
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/0" {
			<-hold
		}
		io.Copy(w, r.Body)
		io.WriteString(w, r.URL.Path+".")
	}))
	l := build(t, origin, roots, plan{source: static()})
	conn := testkit.Dial(t, l.addr)
	const most = 20_000
	go func() {
		out := bufio.NewWriter(conn)
		for i := range most {
			fmt.Fprintf(out, "POST /%d HTTP/1.1\r\nHost: localhost\r\nX-Fill: %0200d\r\nContent-Length: 3\r\n\r\n%03d", i, i, i%1000)
		}
		out.Flush()
	}()
	time.Sleep(300 * time.Millisecond)
	if held := l.group.Held(); held > 1<<20 {
		t.Errorf("%d bytes are held", held)
	}
	close(hold)
	in := bufio.NewReader(conn)
	conn.SetDeadline(time.Now().Add(testkit.Timeout))
	for i := range most {
		resp := testkit.Must(http.ReadResponse(in, nil))(t)
		if body := testkit.Body(t, resp); body != fmt.Sprintf("%03d/%d.", i%1000, i) {
			t.Fatalf("%d: %q", i, body)
		}
	}
}

// Where the rest of a request is no good, its client is told, if it can be; the upstream does not
// get it as a whole one.
func TestHTTP1_BrokenBodiesGetAProblem(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		arrived, ended := make(chan struct{}, 1), make(chan error, 1)
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, 5))
			if r.URL.Path == "/answers" {
				http.NewResponseController(w).EnableFullDuplex()
				io.WriteString(w, "begun")
				http.NewResponseController(w).Flush()
			}
			arrived <- struct{}{}
			_, err := io.Copy(io.Discard, r.Body)
			ended <- err
		}), protocolOf(http1))
		l := build(t, origin, roots, plan{source: static()})
		for _, path := range []string{"/", "/answers"} {
			if isStandard() && path != "/" {
				continue // net/http ends the answer well
			}
			conn := testkit.Dial(t, l.addr)
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			<-arrived
			in := bufio.NewReader(conn)
			if path != "/" {
				in.Peek(1) // the answer has begun
			}
			io.WriteString(conn, "nonsense\r\n")
			resp := testkit.Must(http.ReadResponse(in, nil))(t)
			_, cut := io.ReadAll(resp.Body)
			if testkit.Receive(t, "the upstream", ended) == nil {
				t.Errorf("http1=%t %s: the upstream got a whole request", http1, path)
			}
			if path == "/" && (resp.StatusCode != 400 || !resp.Close || resp.Header.Get("Avsproxy-Error") != "bad_request") || path != "/" && cut == nil {
				t.Errorf("http1=%t %s: %v, %v", http1, path, resp, cut)
			}
		}
	}
}

// A connection whose client reads nothing holds a bounded amount, and ends with its client.
func TestHTTP1_ClientsThatDoNotReadHoldLittle(t *testing.T) {
	skipStandard(t)
	gone := make(chan struct{})
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write(make([]byte, 32<<10))
		}
		close(gone)
	}))
	l := build(t, origin, roots, plan{source: static()})
	ctx, cancel := context.WithCancel(t.Context())
	conn := testkit.Must(new(net.Dialer).DialContext(ctx, "tcp", l.addr))(t)
	defer cancel()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	time.Sleep(500 * time.Millisecond)
	if held := l.group.Held(); held > 4<<20 {
		t.Errorf("%d bytes are held", held)
	}
	conn.Close()
	testkit.Receive(t, "the upstream to know", gone)
}

func protocolOf(http1 bool) func(*httptest.Server) {
	return func(server *httptest.Server) {
		server.EnableHTTP2 = !http1
		server.Config.DisableGeneralOptionsHandler = true
	}
}

// A space in a :path would end the target of a request of HTTP/1.1.
func TestHTTP1_SpacesOfHTTP2DoNotEndATarget(t *testing.T) {
	arrived := make(chan string, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { arrived <- r.RequestURI }), testkit.HTTP1)
	l := build(t, origin, roots, plan{source: static()})
	for path, want := range map[string]string{"/a HTTP/1.1": "/a%20HTTP/1.1", "/a?b c|": "", "/a?b|c": "/a?b|c"} {
		conn := testkit.Dial(t, l.addr)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		c := frames(t, conn)
		c.open(1, true, ":method", "GET", ":scheme", "http", ":authority", "localhost", ":path", path)
		if want == "" { // it is refused
			if reset, ok := c.next(1).(*http2.RSTStreamFrame); !ok || reset.ErrCode != http2.ErrCodeProtocol {
				t.Errorf("%q: %v", path, reset)
			}
			continue
		}
		if got := testkit.Receive(t, "the request", arrived); got != want {
			t.Errorf("%q arrives as %q", path, got)
		}
	}
	if len(arrived) > 0 {
		t.Errorf("%q arrived", <-arrived)
	}
}

// What HTTP/2 has in its own form gets that of HTTP/1.1, and the other way round.
func TestHTTP1_HeadsOfHTTP2BecomeThoseOfHTTP1(t *testing.T) {
	arrived := make(chan http.Header, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header
		w.Header().Set("Trailer", "Connection, X-Sum")
		w.Write([]byte("x"))
		w.Header().Set("Connection", "close")
		w.Header().Set("X-Sum", "1")
	}), testkit.HTTP1)
	l := build(t, origin, roots, plan{source: static()})
	for range 2 { // over the handler, and relayed
		conn := testkit.Dial(t, l.addr)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		c := frames(t, conn)
		c.open(1, false, ":method", "POST", ":scheme", "http", ":authority", "localhost", ":path", "/",
			"cookie", "a=b", "x-other", "1", "cookie", "c=d", "content-length", "5", "content-length", "05", "expect", "100-continue")
		testkit.NoError(t, c.WriteData(1, true, []byte("hello")))
		got := testkit.Receive(t, "the request", arrived)
		if cookies := got["Cookie"]; len(cookies) != 1 || cookies[0] != "a=b; c=d" || len(got["Expect"]) > 0 && !isStandard() {
			t.Errorf("%v", got)
		}
		for ended := false; !ended; {
			switch frame := c.next(1).(type) {
			case *http2.MetaHeadersFrame:
				ended = frame.StreamEnded()
				for _, f := range frame.Fields {
					if f.Name == "connection" {
						t.Error("a field of HTTP/1.1's connections came")
					}
				}
			case *http2.DataFrame:
				ended = frame.StreamEnded()
			case *http2.RSTStreamFrame:
				t.Fatal(frame)
			}
		}
	}
}

// What a client lists in Connection is taken out of its own fields, and of nothing else.
func TestHTTP1_ConnectionNamesNoPseudoFields(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		arrived := make(chan string, 1)
		origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			arrived <- r.Method + " " + r.Host + r.RequestURI + " " + r.Header.Get("Authorization") + r.Header.Get("X-Hop")
		}), protocolOf(http1))
		for name, source := range map[string]*tokens.Source{"Bearer " + canary: static(), "": nil} {
			l := build(t, origin, roots, plan{source: source})
			for range 3 { // the second one makes a template, the third follows it
				l.said(t, "GET /a HTTP/1.1\r\nHost: localhost\r\nX-Hop: 1\r\nConnection: :authority, :path, x-hop, :method, :scheme, authorization, close\r\n\r\n")
				if got, want := testkit.Receive(t, "the request", arrived), "GET "+strings.TrimPrefix(origin, "https://")+"/a "+name; got != want {
					t.Errorf("http1=%t: %q arrives, want %q", http1, got, want)
				}
			}
		}
	}
}
