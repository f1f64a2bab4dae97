package proxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
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
		if !slices.Contains([]string{"Date", "Oracle", "Trailer", "User-Agent", "Accept-Encoding"}, name) && (length || name != "Content-Length") {
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
	saw.Line, saw.Fields = resp.Status, headerText(resp.Header, s.AnswerLength)
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

// Both engines do the same with a request and its answer, as both ends see it. A seed of
// their own makes the exchanges again: go test ./proxy -run Oracle -oracle.seed N.
func TestOracle_EnginesDoTheSame(t *testing.T) {
	o := &oracle{scripts: map[string]*script{}, seen: map[string]*sighting{}}
	origin, roots := upstreamTLS(t, o)
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
	seeds, count := []uint64{1, 2, 3, 4}, 60
	if testkit.IsHeavy() {
		count = 600
	}
	if *oracleSeed != 0 {
		seeds = []uint64{*oracleSeed}
	}
	var running sync.WaitGroup
	for _, seed := range seeds {
		running.Go(func() {
			clients := map[string]*http.Client{"relayed": h2cClient(t), "standard": h2cClient(t)}
			r := rand.New(rand.NewPCG(seed, 0))
			for i := range count {
				s := newScript(r)
				saw, arrived := map[string]*sighting{}, map[string]*sighting{}
				for name, l := range lines {
					key := fmt.Sprintf("%s %d %d", name, seed, i)
					saw[name] = o.play(t, clients[name], l.url, key, &s)
					o.mu.Lock()
					arrived[name] = o.seen[key]
					o.mu.Unlock()
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
