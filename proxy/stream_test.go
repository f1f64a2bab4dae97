package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"avsproxy/internal/problem"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

// The gap is longer than testkit.Timeout: parts that were held back for the
// next one would never be seen.
func TestPromise4_FirstPartIsSeenBeforeTheSecondIsSent(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("upstreamHTTP1=%v", http1), func(t *testing.T) {
			l, _ := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
			over(t, func(t *testing.T, client *http.Client) {
				resp := testkit.Must(client.Do(request(t, "GET", l.url+"/sandbox/slow-multipart?n=2&gap=1h", nil)))(t)
				defer resp.Body.Close()
				_, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
				lines := bufio.NewScanner(resp.Body)
				for lines.Scan() && !strings.Contains(lines.Text(), "part-1") {
				}
				if err := lines.Err(); err != nil || params["boundary"] == "" {
					t.Fatalf("%s, %v", resp.Header, err)
				}
			})
		})
	}
}

func TestSlowMultipartIsWhole(t *testing.T) {
	l, _ := toSandbox(t, sandbox.Options{}, plan{})
	over(t, func(t *testing.T, client *http.Client) {
		a := get(t, client, l.url+"/sandbox/slow-multipart?n=5&gap=1ms")
		_, params, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
		parts := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
		n := 0
		for {
			if _, err := parts.NextPart(); err != nil {
				break
			}
			n++
		}
		if n != 5 {
			t.Fatalf("%d parts", n)
		}
	})
}

// Each ping is sent only after the last one came back, all within one request.
func TestPromise4_UploadAndAnswerOverlap(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("upstreamHTTP1=%v", http1), func(t *testing.T) {
			l, _ := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
			over(t, func(t *testing.T, client *http.Client) {
				upload, send := io.Pipe()
				defer send.Close()
				resp := testkit.Must(client.Do(request(t, "POST", l.url+"/sandbox/echo", upload)))(t)
				defer resp.Body.Close()
				for i := range 50 {
					ping := fmt.Sprintf("ping %2d", i)
					io.WriteString(send, ping)
					pong := make([]byte, len(ping))
					if _, err := io.ReadFull(resp.Body, pong); err != nil || string(pong) != ping {
						t.Fatalf("%q came back for %q: %v", pong, ping, err)
					}
				}
				send.Close()
				if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
					t.Fatalf("%q, %v", rest, err)
				}
			})
		})
	}
}

func TestPromise4_DownchannelShowsItsHeadAtOnce(t *testing.T) {
	answer := make(chan struct{})
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush() // a head, and no byte of a body
		<-answer
	}))
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	defer close(answer)
	over(t, func(t *testing.T, client *http.Client) {
		resp := testkit.Must(client.Do(request(t, "GET", l.url+"/", nil)))(t)
		resp.Body.Close()
	})
}

func TestClientThatHangsUpIsSeenUpstreamAtOnce(t *testing.T) {
	for _, phase := range []string{"before the head", "in the answer", "in the upload"} {
		t.Run(phase, func(t *testing.T) {
			arrived, gone := make(chan struct{}, 1), make(chan struct{}, 1)
			origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if phase == "in the answer" {
					http.NewResponseController(w).Flush()
				}
				arrived <- struct{}{}
				if phase == "in the upload" {
					io.Copy(io.Discard, r.Body)
				}
				<-r.Context().Done()
				gone <- struct{}{}
			}))
			l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
			over(t, func(t *testing.T, client *http.Client) {
				before := l.count()
				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				method, body := "GET", io.Reader(nil)
				upload, send := io.Pipe()
				if phase == "in the upload" {
					method, body = "POST", upload
				}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					if resp, err := client.Do(request(t, method, l.url+"/", body).WithContext(ctx)); err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				}()
				<-arrived
				hangUp()
				testkit.Receive(t, "the upstream to know", gone)
				send.Close() // net/http's client waits for its body
				<-ended
				e := l.ended(t, before+1)
				if e.Fault != nil || (phase != "in the answer" && e.Status != 499) {
					t.Errorf("the exchange ended with %d, %v", e.Status, e.Fault)
				}
			})
			if log := l.logged(); strings.Contains(log, "panic") {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

func (l *line) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.exchanges)
}

// An answer of ours or of the upstream does not wait for an upload that stalls.
func TestStalledUploadDoesNotHoldTheAnswerBack(t *testing.T) {
	answered := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "early")
	})
	origin, roots := upstreamTLS(t, answered)
	http1Origin, http1Roots := upstreamTLS(t, answered, testkit.HTTP1)
	for name, l := range map[string]*line{
		"login":        build(t, origin, roots, plan{source: loggedOut()}),
		"refused":      build(t, "https://"+testkit.ClosedPort(t), roots, plan{source: static(), options: upstream.Options{SingleConnection: true}}),
		"refused pool": build(t, "https://"+testkit.ClosedPort(t), roots, plan{source: static()}),
		"early":        build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}}),
		"early HTTP1":  build(t, http1Origin, http1Roots, plan{source: static()}),
	} {
		for kind, head := range map[string]string{
			"length":  "Content-Length: 100000\r\n\r\nsome",
			"chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
			"expect":  "Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n",
		} {
			if kind == "expect" && strings.HasPrefix(name, "early") {
				continue // once a 100 was sent, net/http writes no head while a read waits for the body
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				conn := testkit.Dial(t, l.addr)
				fmt.Fprintf(conn, "POST /x HTTP/1.1\r\nHost: localhost\r\n%s", head)
				reader := bufio.NewReader(conn)
				resp, err := http.ReadResponse(reader, nil)
				if err == nil && resp.StatusCode == http.StatusContinue {
					resp, err = http.ReadResponse(reader, nil)
				}
				testkit.NoError(t, err)
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode < 400 {
					t.Fatalf("%s %q %v", resp.Status, body, err)
				}
			})
		}
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("upstreamHTTP1=%v", http1), func(t *testing.T) {
			l, s := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
			over(t, func(t *testing.T, client *http.Client) {
				r := request(t, "POST", l.url+"/sandbox/echo", strings.NewReader("body"))
				r.ContentLength = -1
				r.Trailer = http.Header{"X-Sum": {"abc"}, "X-Two": {"1", "2"}}
				a := do(t, client, r)
				arrivals := s.Ledger()
				if got := arrivals[len(arrivals)-1].Trailer; got.Get("X-Sum") != "abc" || len(got["X-Two"]) != 2 {
					t.Errorf("upwards: %v", got)
				}
				// The echo announces none of them.
				if a.Trailer.Get("X-Sum") != "abc" || len(a.Trailer["X-Two"]) != 2 {
					t.Errorf("downwards: %v", a.Trailer)
				}
				if a.Header.Get("X-Sum") != "" {
					t.Error("a trailer became a header")
				}
			})
		})
	}
}

func TestC21_TrailersCannotOverrideTheCredential(t *testing.T) {
	got := make(chan http.Header, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got <- r.Trailer
	}))
	for _, single := range []bool{true, false} {
		l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: single}})
		for _, announced := range []string{"", "Trailer: X-Sum, Authorization\r\n"} {
			conn := testkit.Dial(t, l.addr)
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: abc\r\nAuthorization: forged\r\n\r\n", announced)
			answer, _ := io.ReadAll(conn)
			trailer := <-got
			if trailer.Get("Authorization") != "" {
				t.Errorf("forged: %v", trailer)
			}
			// Go's h2 server drops what was not announced.
			if announced != "" && trailer.Get("X-Sum") != "abc" {
				t.Errorf("lost: %v, %s", trailer, answer)
			}
		}
	}
}

func TestUnannouncedTrailersReachAnUpstreamThatReadsThem(t *testing.T) {
	got := make(chan http.Header, 1)
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got <- r.Trailer
	}), testkit.HTTP1) // Go's HTTP/2 server drops them
	l := build(t, origin, roots, plan{source: static()})
	conn := testkit.Dial(t, l.addr)
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: abc\r\n\r\n")
	io.Copy(io.Discard, conn)
	if trailer := <-got; trailer.Get("X-Sum") != "abc" {
		t.Fatalf("lost: %v", trailer)
	}
}

func TestC20_InformationalAnswersPass(t *testing.T) {
	hint := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Link"] = []string{"</b>; rel=preload", "</a>; rel=preload"}
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	})
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("upstreamHTTP1=%v", http1), func(t *testing.T) {
			origin, roots := upstreamTLS(t, hint, func(server *httptest.Server) { server.EnableHTTP2 = !http1 })
			l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
			over(t, func(t *testing.T, client *http.Client) { wantHint(t, client, l) })
			if e := l.ended(t, 1); e.Status != http.StatusOK {
				t.Errorf("observed %d", e.Status)
			}
		})
	}
}

// wantHint sends a request that waits for a 100, and is to hear of a 103 besides.
func wantHint(t *testing.T, client *http.Client, l *line) {
	var hints []string
	r := request(t, "POST", l.url+"/", strings.NewReader("body"))
	r.Header.Set("Expect", "100-continue")
	a := do(t, client, r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code != http.StatusContinue {
				hints = append(hints, fmt.Sprint(code, header["Link"]))
			}
			return nil
		},
	})))
	want := "103 [</b>; rel=preload </a>; rel=preload]"
	if len(hints) != 1 || hints[0] != want || a.StatusCode != http.StatusOK || a.Header.Get("Link") != "" {
		t.Fatalf("%q, %s %v", hints, a.Status, a.Header)
	}
}

func TestHTTP10ClientsAreServed(t *testing.T) {
	l, _ := toSandbox(t, sandbox.Options{}, plan{})
	conn := testkit.Dial(t, l.addr)
	fmt.Fprint(conn, "GET /sandbox/bytes?n=100000 HTTP/1.0\r\nHost: localhost\r\n\r\n")
	resp := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) != 100000 || len(resp.TransferEncoding) > 0 {
		t.Fatalf("%d bytes, %v, %v", len(body), resp.TransferEncoding, err)
	}
}

func TestC12_RedirectsPassAndAreNotFollowed(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	over(t, func(t *testing.T, client *http.Client) {
		before := len(s.Ledger())
		a := get(t, client, l.url+"/sandbox/redirect")
		if a.StatusCode != http.StatusFound || a.Header.Get("Location") != "https://elsewhere.invalid/" || len(s.Ledger()) != before+1 {
			t.Fatalf("%s %s", a.Status, a.Header)
		}
	})
}

func TestC15_UpgradesEndHere(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		l, s := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
		for _, upgrade := range []string{
			"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
			"Upgrade: websocket\r\nConnection: upgrade\r\n",
			"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		} {
			conn := testkit.Dial(t, l.addr)
			fmt.Fprintf(conn, "GET /ping HTTP/1.1\r\nHost: localhost\r\n%s\r\n", upgrade)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusNoContent {
				t.Fatalf("%+v %v", resp, err)
			}
			arrivals := s.Ledger()
			for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
				if got := arrivals[len(arrivals)-1].Header[name]; got != nil {
					t.Errorf("%s: %q arrived", name, got)
				}
			}
		}
	}
}

func TestC16_TraceAndConnectAreRefused(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	a := do(t, h1Client(t), request(t, "TRACE", l.url+"/", nil))
	problemOf(t, a, problem.NotAllowed)
	conn := testkit.Dial(t, l.addr)
	fmt.Fprint(conn, "CONNECT localhost HTTP/1.1\r\nHost: localhost\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Fatalf("%+v %v", resp, err)
	}
	if n := len(s.Ledger()); n != 0 {
		t.Fatalf("%d requests arrived", n)
	}
}
