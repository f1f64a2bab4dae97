package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var oracleSeed = flag.Uint64("oracle.seed", 0, "the only seed of the exchanges that both engines relay; 0 = some")

// A script is one exchange: what the client sends, and what the upstream does with it.
type script struct {
	Method, Path  string
	Fields        [][2]string
	Body          int
	Pieces        []int // sizes in which both sides write
	Length        bool  // the request tells its length
	Trailer       bool  // of the request
	GiveUp        int   // bytes of the answer after which the client leaves; -1 = it does not
	Status        int
	Interims      int
	Answer        int
	AnswerLength  bool
	AnswerTrailer bool
	Early         int // bytes of the request that are read before the answer; -1 = all
	Abort         int // bytes of the answer after which the upstream resets the stream; -1 = it does not
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func newScript(r *rand.Rand) script {
	s := script{
		Method: pick(r, "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "x!#$%&'*+"),
		Path:   pick(r, "/", "/a/b?c=d&e", "//x", "/%41%2f?", "/;p=1,2/(x)!$&'*+:@~", "/a?b=%zz#", "/v20160207/events?q=\"<>"),
		Length: chance(r, 2), Trailer: chance(r, 4), GiveUp: -1,
		Status: pick(r, 200, 200, 200, 201, 204, 206, 301, 304, 400, 404, 418, 500, 503, 599),
		Answer: size(r), AnswerLength: chance(r, 2), AnswerTrailer: chance(r, 4), Early: -1, Abort: -1,
	}
	if s.Method != "GET" && s.Method != "HEAD" {
		s.Body = size(r)
	}
	if s.Body > 0 && chance(r, 6) {
		s.Early, s.Trailer = r.IntN(s.Body), false // a Go server ends the connection where a trailer comes behind such an answer
	}
	if s.Answer > 0 && chance(r, 8) {
		s.Abort = r.IntN(s.Answer)
	} else if s.Answer > 0 && chance(r, 8) {
		s.GiveUp = r.IntN(s.Answer)
	}
	if chance(r, 5) {
		s.Interims = 1 + r.IntN(3)
	}
	for range 1 + r.IntN(4) {
		s.Pieces = append(s.Pieces, 1+r.IntN(pick(r, 10, 1000, 20_000, 100_000)))
	}
	for i := range r.IntN(4) {
		s.Fields = append(s.Fields, [2]string{
			"X-" + pick(r, "A", "b", "Odd.Name", "under_score", "!#$") + strconv.Itoa(i),
			pick(r, "", "plain", "ü é", "a,b;c=\"d\"", "\x80\xff", "tab\there", strings.Repeat("long ", 3000)),
		})
	}
	return s
}

func size(r *rand.Rand) int {
	return pick(r, 0, 0, 1, r.IntN(1000), 16384, 65535, 65536, 65537, r.IntN(300_000), r.IntN(pick(r, 1<<20, 8<<20)))
}

// write writes n bytes in the pieces of the script.
func (s *script) write(w io.Writer, n int) (err error) {
	piece := make([]byte, 100_000)
	for i := range piece {
		piece[i] = byte(i * 7)
	}
	for i := 0; n > 0 && err == nil; i++ {
		size := min(n, s.Pieces[i%len(s.Pieces)])
		if i > 200 {
			size = min(n, len(piece))
		}
		_, err = w.Write(piece[:size])
		if f, ok := w.(http.Flusher); ok && i < 50 {
			f.Flush()
		}
		n -= size
	}
	return err
}

// A sighting is what one side saw of an exchange.
type sighting struct {
	Line, Fields, Trailer string
	Size                  int
	Sum                   [32]byte
	Cut                   bool // what came was not whole
	Interims              int
}

// headerText is a header without what each hop, or each request, has its own of. length = the
// sender told it; else the standard engine may.
func headerText(h http.Header, length bool) string {
	var all []string
	for name, values := range h {
		if !slices.Contains([]string{"Date", "Oracle", "Trailer", "User-Agent", "Accept-Encoding", "Connection"}, name) && (length || name != "Content-Length") {
			all = append(all, fmt.Sprintf("%s: %q", name, values))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func (s *sighting) read(body io.Reader) {
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	s.Size, s.Cut = int(n), err != nil
	sum.Sum(s.Sum[:0])
}

// An oracle is an upstream that plays scripts, and keeps what it saw of each.
type oracle struct {
	mu      sync.Mutex
	scripts map[string]*script
	seen    map[string]*sighting
}

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Oracle")
	o.mu.Lock()
	s := o.scripts[key]
	o.mu.Unlock()
	saw := &sighting{Line: r.Method + " " + r.RequestURI + " " + r.Header.Get("Authorization"), Fields: headerText(r.Header, s.Length)}
	if s.Early < 0 {
		saw.read(r.Body)
		saw.Trailer = headerText(r.Trailer, true)
	} else {
		_, _ = io.CopyN(io.Discard, r.Body, int64(s.Early))
	}
	o.mu.Lock()
	o.seen[key] = saw
	o.mu.Unlock()
	for range s.Interims {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(http.StatusEarlyHints)
	}
	w.Header().Set("Content-Type", "text/x; a=b")
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	bodiless := r.Method == http.MethodHead || s.Status == 204 || s.Status == 304
	if s.AnswerLength && s.Status != 204 {
		w.Header().Set("Content-Length", strconv.Itoa(s.Answer))
	}
	if s.AnswerTrailer && !bodiless {
		w.Header().Set("Trailer", "Sum")
	}
	w.WriteHeader(s.Status)
	switch {
	case bodiless:
	case s.Abort >= 0:
		_ = s.write(w, s.Abort)
		panic(http.ErrAbortHandler)
	default:
		_ = s.write(w, s.Answer)
	}
	if s.AnswerTrailer && !bodiless {
		w.Header().Set("Sum", "12")
	}
}

// play sends the script's request through a line, and returns what the client saw.
func (o *oracle) play(t *testing.T, client *http.Client, url, key string, s *script) *sighting {
	o.mu.Lock()
	o.scripts[key] = s
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	saw := &sighting{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { saw.Interims++; return nil }})
	in, out := io.Pipe()
	go func() { out.CloseWithError(s.write(out, s.Body)) }()
	defer in.Close()
	req := testkit.Must(http.NewRequestWithContext(ctx, s.Method, url, in))(t)
	req.URL.Opaque = strings.TrimPrefix(url, "http:") + s.Path
	if s.Body == 0 {
		req.Body, req.ContentLength = http.NoBody, 0
	} else if s.Length {
		req.ContentLength = int64(s.Body)
	} else if s.Trailer {
		req.Trailer = http.Header{"Sum": {"34"}}
	}
	for _, f := range s.Fields {
		req.Header.Add(f[0], f[1])
	}
	req.Header.Set("Oracle", key)
	resp, err := client.Do(req)
	if err != nil {
		saw.Line, saw.Cut = "no answer", true
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %+v: %v", key, s, err)
		}
		return saw
	}
	defer resp.Body.Close()
	saw.Line, saw.Fields = strconv.Itoa(resp.StatusCode), headerText(resp.Header, s.AnswerLength)
	if s.GiveUp >= 0 {
		_, _ = io.CopyN(io.Discard, resp.Body, int64(s.GiveUp))
		return saw
	}
	saw.read(resp.Body)
	saw.Trailer = headerText(resp.Trailer, true)
	if s.Abort >= 0 { // what was on its way when the stream was reset may come or not
		saw.Size, saw.Sum = 0, [32]byte{}
	}
	return saw
}

// Both engines do the same with a request and its answer, as both ends see it, over each
// protocol. A seed of their own makes the exchanges again: go test ./proxy -run Oracle
// -oracle.seed N.
func TestOracle_EnginesDoTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client       func(testing.TB) *http.Client
		http1        bool // the client speaks HTTP/1.1
		http1Upwards bool
	}{
		"h2c to HTTP/2": {h2cClient, false, false}, "h2c to HTTP/1.1": {h2cClient, false, true},
		"HTTP/1.1 to HTTP/2": {h1Client, true, false}, "HTTP/1.1 to HTTP/1.1": {h1Client, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			enginesDoTheSame(t, c.client, func(s *script) {
				if c.http1 {
					s.forHTTP1()
				}
				if c.http1Upwards {
					s.fromHTTP1()
				}
			}, c.http1Upwards)
		})
	}
}

// forHTTP1 takes out what clients of HTTP/1.x, or the standard engine for them, do otherwise:
// net/http's client may give up an upload at an early answer, or not; a fragment is refused;
// net/http's server leaves fields of a 304 out.
func (s *script) forHTTP1() {
	s.Early = -1
	s.Path = strings.TrimSuffix(s.Path, "#")
	if s.Status == 304 {
		s.Status = 303
	}
}

// fromHTTP1 takes out what the upstream, as net/http's server, does not do over HTTP/1.1: to go on
// with its connection behind an early answer, to say the length of a 304, to send a trailer
// behind a length.
func (s *script) fromHTTP1() {
	s.Early = -1
	s.AnswerLength = s.AnswerLength && s.Status != 304
	s.AnswerTrailer = s.AnswerTrailer && !s.AnswerLength
}

// newOracle returns an oracle, and lines of proxies to it.
func newOracle(t *testing.T, http1Upwards bool) (*oracle, map[string]*line) {
	o := &oracle{scripts: map[string]*script{}, seen: map[string]*sighting{}}
	origin, roots := upstreamTLS(t, o, protocolOf(http1Upwards))
	var lines map[string]*line
	t.Cleanup(func() { // when all is closed
		for name, l := range lines {
			testkit.Eventually(t, name+" to hold no memory", func() bool { return l.group.Held() == 0 })
		}
	})
	lines = map[string]*line{
		"relayed":  build(t, origin, roots, plan{source: static()}),
		"standard": build(t, origin, roots, plan{source: static(), standard: true}),
	}
	return o, lines
}

// seeds are those of the exchanges, and how many there are of each.
func seeds() (all []uint64, count int) {
	all, count = []uint64{1, 2, 3, 4}, 60
	if testkit.IsHeavy() && !raceEnabled { // with the race detector each takes ten times as long
		count = 300
	}
	if *oracleSeed != 0 {
		all = []uint64{*oracleSeed}
	}
	return all, count
}

func enginesDoTheSame(t *testing.T, newClient func(testing.TB) *http.Client, adapt func(*script), http1Upwards bool) {
	o, lines := newOracle(t, http1Upwards)
	seeds, count := seeds()
	var running sync.WaitGroup
	for _, seed := range seeds {
		running.Go(func() {
			clients := map[string]*http.Client{"relayed": newClient(t), "standard": newClient(t)}
			r := rand.New(rand.NewPCG(seed, 0))
			for i := range count {
				s := newScript(r)
				adapt(&s)
				saw, arrived := map[string]*sighting{}, map[string]*sighting{}
				for name, l := range lines {
					key := fmt.Sprintf("%s %d %d", name, seed, i)
					saw[name] = o.play(t, clients[name], l.url, key, &s)
					arrived[name] = o.arrived(key)
				}
				if diff := cmp.Diff(saw["standard"], saw["relayed"]); diff != "" {
					t.Errorf("seed %d, %d: %+v: the client sees\n%s", seed, i, s, diff)
				}
				if diff := cmp.Diff(arrived["standard"], arrived["relayed"]); diff != "" {
					t.Errorf("seed %d, %d: %+v: the upstream sees\n%s", seed, i, s, diff)
				}
			}
		})
	}
	running.Wait()
	if n := lines["relayed"].bridged.Load(); n > int64(len(seeds)*count/3) {
		t.Errorf("%d of %d requests were not relayed", n, len(seeds)*count)
	}
}

func (o *oracle) arrived(key string) *sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[key]
}

// Clients of HTTP/1.x see the same whatever they do: those that end their half behind the
// request, that send slowly, or several requests at once, or speak HTTP/1.0. Those that leave in
// the middle are in their way.
func TestOracle_HTTP1ClientsSeeTheSame(t *testing.T) {
	t.Parallel()
	skipStandard(t)
	for _, http1Upwards := range []bool{false, true} {
		o, lines := newOracle(t, http1Upwards)
		l := lines["relayed"]
		seeds, count := seeds()
		var running sync.WaitGroup
		for _, seed := range seeds {
			running.Go(func() {
				client := h1Client(t)
				r := rand.New(rand.NewPCG(seed, 1))
				for i := range count / 2 {
					s := newScript(r)
					s.forHTTP1()
					s.GiveUp = -1
					s.AnswerTrailer = s.AnswerTrailer && !s.AnswerLength // with both, HTTP/1.1 gets no length
					if http1Upwards {
						s.fromHTTP1()
					}
					want := o.play(t, client, l.url, fmt.Sprintf("plain %d %d", seed, i), &s)
					for _, way := range []string{"half-closing", "slow", "pipelining", "HTTP/1.0", "cutting"} {
						key := fmt.Sprintf("%s %d %d", way, seed, i)
						saw := o.playRaw(t, l.addr, key, way, &s)
						if way == "cutting" {
							continue
						}
						if diff := cmp.Diff(want, saw, s.sameFor(way)); diff != "" {
							t.Errorf("seed %d, %d, %s: %+v: the client sees\n%s", seed, i, way, s, diff)
						}
					}
				}
			})
		}
		running.Wait()
	}
}

// sameFor leaves out what a way of speaking changes.
func (s *script) sameFor(way string) cmp.Option {
	if way != "HTTP/1.0" {
		return cmp.Options{}
	}
	return cmp.Options{
		cmpopts.IgnoreFields(sighting{}, "Interims", "Trailer"),
		cmp.FilterPath(func(p cmp.Path) bool {
			return s.Abort >= 0 && (p.Last().String() == ".Line" || p.Last().String() == ".Fields")
		}, cmp.Ignore()), // the reset may overtake the head
	}
}

// playRaw sends the script's request on a connection of its own.
func (o *oracle) playRaw(t *testing.T, addr, key, way string, s *script) *sighting {
	o.mu.Lock()
	o.scripts[key] = s
	o.mu.Unlock()
	conn := testkit.Dial(t, addr)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		text := s.requestText(key, way)
		switch way {
		case "slow":
			for _, part := range []int{1, len(text) / 3, len(text)} {
				conn.Write(text[:min(part, len(text))])
				text = text[min(part, len(text)):]
				time.Sleep(time.Millisecond)
			}
		case "pipelining":
			conn.Write(append(text, "GET /behind HTTP/1.1\r\nHost: localhost\r\nOracle: "+key+"\r\nConnection: close\r\n\r\n"...))
		case "cutting":
			conn.Write(text[:len(text)/2])
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		default:
			conn.Write(text)
		}
		if way == "half-closing" {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	return s.see(t, bufio.NewReader(conn), way)
}

// requestText is the script's request in HTTP/1.x.
func (s *script) requestText(key, way string) []byte {
	var b bytes.Buffer
	version := "1.1"
	if way == "HTTP/1.0" {
		version = "1.0"
	}
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\nHost: localhost\r\nTE: trailers\r\nOracle: %s\r\n", s.Method, s.Path, version, key)
	for _, f := range s.Fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	var body bytes.Buffer
	_ = s.write(&body, s.Body)
	switch {
	case s.Body == 0:
		b.WriteString("\r\n")
	case s.Length || version == "1.0":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", s.Body, body.Bytes())
	default:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n")
		for chunk := range slices.Chunk(body.Bytes(), s.Pieces[0]) {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		b.WriteString("0\r\n")
		if s.Trailer {
			b.WriteString("Sum: 34\r\n")
		}
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// see reads an answer.
func (s *script) see(t *testing.T, in *bufio.Reader, way string) *sighting {
	saw := &sighting{}
	req := &http.Request{Method: s.Method}
	for {
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %+v: %v", way, s, err)
			}
			saw.Line, saw.Cut = "no answer", true
			return saw
		}
		if resp.StatusCode < 200 {
			saw.Interims++
			continue
		}
		saw.Line, saw.Fields = strconv.Itoa(resp.StatusCode), headerText(resp.Header, s.AnswerLength)
		saw.read(resp.Body)
		saw.Trailer = headerText(resp.Trailer, true)
		if s.Abort >= 0 {
			saw.Size, saw.Sum = 0, [32]byte{}
		} else if way == "pipelining" {
			if next, err := http.ReadResponse(in, nil); err != nil || next.StatusCode != s.Status && !(next.StatusCode < 200) {
				t.Errorf("%+v: the next answer is %v, %v", s, next, err)
			}
		}
		return saw
	}
}
