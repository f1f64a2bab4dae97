package h1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/h2"
	"avsproxy/internal/testkit"
)

// An answered is an answer as its reader framed it.
type answered struct {
	status  int
	body    string
	trailer string
}

// badAnswers are those that are refused.
var badAnswers = map[string]string{
	"no version":             "200 OK\r\n\r\n",
	"HTTP/2":                 "HTTP/2.0 200 OK\r\n\r\n",
	"HTTP/1.2":               "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
	"two digits":             "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
	"four digits":            "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
	"a status with a sign":   "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
	"a status below 100":     "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
	"101, unasked":           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
	"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	"a length with chunks":   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	"another coding":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"a folded line":          "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
	"a bare LF":              "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n",
	"bare LFs":               "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
	"a space before a colon": "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
	"a control character":    "HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 0\r\n\r\n",
	"a body that is cut":     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
	"chunks that are cut":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	"a bad chunk":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
	"a head that is cut":     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
	"a head without end":     "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20),
	"chunks in HTTP/1.0":     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"nothing":                "",
}

var goodAnswers = map[string]struct {
	text string
	want answered
}{
	"a length":          {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", answered{200, "abc", ""}},
	"no reason":         {"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", answered{200, "abc", ""}},
	"an empty reason":   {"HTTP/1.1 299 \r\nContent-Length: 3\r\n\r\nabc", answered{299, "abc", ""}},
	"chunks":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n", answered{200, "abc", ""}},
	"a trailer":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", answered{200, "abc", "X-Sum"}},
	"until the end":     {"HTTP/1.1 200 OK\r\n\r\nabc", answered{200, "abc", ""}},
	"HTTP/1.0":          {"HTTP/1.0 200 OK\r\n\r\nabc", answered{200, "abc", ""}},
	"1xx first":         {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", answered{200, "abc", ""}},
	"204":               {"HTTP/1.1 204 No Content\r\n\r\n", answered{204, "", ""}},
	"304 with a length": {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", answered{304, "", ""}},
	"a large head":      {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 500_000) + "\r\nContent-Length: 3\r\n\r\nabc", answered{200, "abc", ""}},
}

func TestAnswersThatCanBeReadInTwoWaysAreRefused(t *testing.T) {
	for name, text := range badAnswers {
		t.Run(name, func(t *testing.T) {
			if got, err := ask(t, text, "GET"); err == nil {
				t.Errorf("it is taken: %+v", got)
			}
		})
	}
}

func TestGoodAnswersAreTaken(t *testing.T) {
	for name, c := range goodAnswers {
		t.Run(name, func(t *testing.T) {
			if got, err := ask(t, c.text, "GET"); err != nil || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
			if judge, err := readAnswer([]byte(c.text)); err != nil || judge != c.want {
				t.Errorf("net/http: %+v, %v", judge, err)
			}
		})
	}
	if got, err := ask(t, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD"); err != nil || got != (answered{200, "", ""}) {
		t.Errorf("to a HEAD: %+v, %v", got, err)
	}
}

// FuzzAnswers has net/http judge what is taken for an answer.
func FuzzAnswers(f *testing.F) {
	for _, text := range badAnswers {
		f.Add([]byte(text[:min(len(text), 1000)]))
	}
	for _, c := range goodAnswers {
		f.Add([]byte(c.text[:min(len(c.text), 1000)]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		conn := &memoryConn{rest: bytes.Clone(text)}
		own, err := askOn(conn, "GET")
		if err != nil {
			return
		}
		if judge, err := readAnswer(text); err == nil && judge != own {
			t.Errorf("%+v here, and %+v by net/http", own, judge)
		}
	})
}

// ask sends a request, whose answer is the text, and then the end of the connection.
func ask(t testing.TB, text, method string) (answered, error) {
	t.Helper()
	server, near := pair(t)
	go func() {
		http.ReadRequest(bufio.NewReader(server))
		io.WriteString(server, text)
		server.Close()
	}()
	return askOn(near, method)
}

func askOn(conn net.Conn, method string) (a answered, err error) {
	session := Client(new(h2.Group), conn, h2.Config{MaxHeader: 1 << 20})
	req, _ := http.NewRequest(method, "https://x/", nil)
	reserved := session.Reserve()
	var serving sync.WaitGroup
	serving.Go(func() { session.Serve() })
	defer serving.Wait()
	defer session.Close()
	if reserved != nil {
		return a, reserved
	}
	resp, err := session.Send(req, h2.SendOptions{})
	if err != nil {
		return a, err
	}
	return readBody(resp)
}

// readAnswer reads as net/http's client does.
func readAnswer(text []byte) (a answered, err error) {
	req, _ := http.NewRequest("GET", "https://x/", nil)
	in := bufio.NewReader(bytes.NewReader(text))
	for {
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			return a, err
		}
		if resp.StatusCode >= 200 {
			return readBody(resp)
		}
	}
}

func readBody(resp *http.Response) (a answered, err error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a = answered{status: resp.StatusCode, body: string(body)}
	for name := range resp.Trailer {
		a.trailer += name
	}
	return a, err
}

// One connection serves one request after the other, as long as both sides keep it.
func TestConnectionsToUpstreamsAreUsedAgain(t *testing.T) {
	server, near := pair(t)
	go func() {
		in := bufio.NewReader(server)
		for i := 0; ; i++ {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			last := map[bool]string{true: "Connection: close\r\n"}[i == 3]
			fmt.Fprintf(server, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", last, len(body)+1, append(body, '.'))
		}
	}()
	session := Client(new(h2.Group), near, h2.Config{MaxHeader: 1 << 20})
	go session.Serve()
	for i := range 4 {
		req, _ := http.NewRequest("POST", "https://x/", strings.NewReader(fmt.Sprint("body ", i)))
		if i%2 == 0 {
			req.ContentLength = -1 // in chunks
		}
		resp := testkit.Must(session.RoundTrip(req))(t)
		if body := testkit.Body(t, resp); body != fmt.Sprintf("body %d.", i) {
			t.Errorf("%d: %q", i, body)
		}
	}
	testkit.Eventually(t, "the connection to end", func() bool { return errors.Is(session.Reserve(), h2.ErrGone) })
}

// An answer has the time that it takes, also the first one.
func TestSlowAnswersAreWaitedFor(t *testing.T) {
	server, near := pair(t)
	defer server.Close()
	session := Client(new(h2.Group), near, h2.Config{MaxHeader: 1 << 20, FirstTimeout: 20 * time.Millisecond})
	go session.Serve()
	go func() {
		time.Sleep(100 * time.Millisecond)
		io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}()
	req, _ := http.NewRequest("GET", "https://x/", nil)
	if body := testkit.Body(t, testkit.Must(session.RoundTrip(req))(t)); body != "ok" {
		t.Error(body)
	}
	session.Close()
}

// A request may end behind its last byte without any. Its connection is free then all the same.
func TestConnectionsAreFreeBehindRequestsOfALength(t *testing.T) {
	server, near := pair(t)
	go func() {
		in := bufio.NewReader(server)
		r, _ := http.ReadRequest(in)
		io.Copy(io.Discard, r.Body)
		io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}()
	free := make(chan bool, 9)
	session := Client(new(h2.Group), near, h2.Config{MaxHeader: 1 << 20, Idle: func(idle bool) { free <- idle }})
	go session.Serve()
	defer session.Close()
	body, write := io.Pipe()
	req, _ := http.NewRequest("POST", "https://x/", body)
	req.ContentLength = 5
	go func() {
		io.WriteString(write, "hello")
		time.Sleep(50 * time.Millisecond) // so that it is written before the end comes
		write.Close()
	}()
	testkit.Body(t, testkit.Must(session.RoundTrip(req))(t))
	for !testkit.Receive(t, "the connection to be free", free) {
	}
}

// A client that reads no answers is not read any more.
func TestAnswersThatNobodyReadsAreBounded(t *testing.T) {
	server, client := pair(t)
	defer client.Close()
	go serveOurs(server, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1000)) }))
	text := strings.Repeat("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 1000)
	client.SetWriteDeadline(time.Now().Add(2 * time.Second))
	for sent := 0; ; sent += len(text) {
		if sent > 20<<20 {
			t.Fatal("20 MB of requests were taken, and no answer was read")
		}
		if _, err := io.WriteString(client, text); err != nil {
			return
		}
	}
}

func TestManySmallFieldsAreALargeHead(t *testing.T) {
	own := ours{}.read(t, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("a:\r\n", 2000)+"\r\n")
	if len(own.requests) > 0 || !strings.Contains(own.answers, h2.ErrHeadTooLarge.Error()) {
		t.Errorf("%+v, %.200q", own.requests, own.answers)
	}
}
