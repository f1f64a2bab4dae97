package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
)

var bodySizes = []int64{0, 1, 64 << 10, 64 << 20} // the last is many times any flow-control window

func TestBodiesAreIdenticalUpwards(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{false, true} {
		l, s := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
		for _, size := range bodySizes {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprintf("upstreamHTTP1=%v/%d/known=%v", http1, size, known), func(t *testing.T) {
					over(t, func(t *testing.T, client *http.Client) { upload1(t, l, s, client, size, known) })
				})
			}
		}
	}
}

func upload1(t *testing.T, l *line, s *sandbox.Sandbox, client *http.Client, size int64, known bool) {
	want := sha256.New()
	// A path that answers 404 without echo would stop the upload; echo answers all of it.
	r := request(t, "POST", l.url+"/sandbox/echo", io.TeeReader(sandbox.Bytes(size), want))
	r.ContentLength = -1
	if known {
		r.ContentLength = size
	}
	if known && size == 0 {
		r.Body = http.NoBody
	}
	resp := testkit.Must(client.Do(r))(t)
	defer resp.Body.Close()
	got := sha256.New()
	n, err := io.Copy(got, resp.Body)
	if err != nil || n != size {
		t.Fatalf("%s: %d bytes came back of %d: %v", resp.Status, n, size, err)
	}
	arrivals := s.Ledger()
	arrival := arrivals[len(arrivals)-1]
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) || arrival.BodySHA256 != hex.EncodeToString(want.Sum(nil)) || arrival.BodySize != size || !arrival.Done {
		t.Fatalf("another body arrived: %+v", arrival)
	}
}

func TestBodiesAreIdenticalDownwards(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{false, true} {
		l, _ := toSandbox(t, sandbox.Options{HTTP1: http1}, plan{})
		for _, size := range bodySizes {
			t.Run(fmt.Sprintf("upstreamHTTP1=%v/%d", http1, size), func(t *testing.T) {
				over(t, func(t *testing.T, client *http.Client) {
					resp := testkit.Must(client.Do(request(t, "GET", fmt.Sprintf("%s/sandbox/bytes?n=%d", l.url, size), nil)))(t)
					defer resp.Body.Close()
					sum := sha256.New()
					n, err := io.Copy(sum, resp.Body)
					if err != nil || n != size {
						t.Fatalf("%d bytes of %d: %v", n, size, err)
					}
					if got := resp.Trailer.Get(sandbox.HashTrailer); got != hex.EncodeToString(sum.Sum(nil)) {
						t.Fatalf("the trailer says %q", got)
					}
				})
			})
		}
	}
}

// Memory is bounded whatever is sent: neither direction keeps what went through.
func TestPromise7_BodiesLeaveNoMemoryBehind(t *testing.T) {
	const most = 32 << 20 // windows and buffers of both sides, and garbage not collected yet
	size := int64(256 << 20)
	if raceEnabled { // which makes it slow
		size = 64 << 20
	}
	l, _ := toSandbox(t, sandbox.Options{}, plan{})
	over(t, func(t *testing.T, client *http.Client) {
		peak := watchHeap(t)
		r := request(t, "POST", l.url+"/sandbox/echo", sandbox.Bytes(size))
		resp := testkit.Must(client.Do(r))(t)
		defer resp.Body.Close()
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if grown := peak(); grown > most {
			t.Fatalf("the heap grew by %d MiB", grown>>20)
		}
	})
}

// watchHeap samples what is live on the heap; the result tells by how much it grew.
func watchHeap(t *testing.T) (grown func() int64) {
	var highest, began int64
	live := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	began = live()
	stop := make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				highest = max(highest, live())
			}
		}
	})
	return func() int64 {
		close(stop)
		sampling.Wait()
		return highest - began
	}
}

// A client that reads nothing stops its upstream; it does not fill our memory.
func TestPromise7_SlowReaderStopsItsUpstream(t *testing.T) {
	l, _ := toSandbox(t, sandbox.Options{}, plan{})
	grown := watchHeap(t)
	over(t, func(t *testing.T, client *http.Client) {
		resp := testkit.Must(client.Do(request(t, "GET", l.url+"/sandbox/bytes?n=268435456", nil)))(t)
		defer resp.Body.Close()
		io.CopyN(io.Discard, resp.Body, 1<<20)
		// Others get through meanwhile.
		for range 20 {
			if a := get(t, client, l.url+"/ping"); a.StatusCode != http.StatusNoContent {
				t.Fatal(a.Status)
			}
		}
	})
	if grown := grown(); grown > 32<<20 {
		t.Fatalf("the heap grew by %d MiB", grown>>20)
	}
}

func TestHeadAndEmptyAnswersStayAsTheyAre(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Was", r.Method)
		w.Header().Set("ETag", `"e"`)
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "12345")
			if r.Method != "HEAD" {
				w.Write(bytes.Repeat([]byte("x"), 12345))
			}
		}
	}))
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	over(t, func(t *testing.T, client *http.Client) {
		for _, c := range []struct {
			method, path string
			status       int
			length       int64
		}{{"HEAD", "/", 200, 12345}, {"GET", "/", 200, 12345}, {"GET", "/204", 204, 0}, {"DELETE", "/204", 204, 0}, {"GET", "/304", 304, -2}, {"HEAD", "/304", 304, -2}} {
			a := do(t, client, request(t, c.method, l.url+c.path, nil))
			if a.StatusCode != c.status || (c.length != -2 && a.ContentLength != c.length) || a.Header.Get("X-Was") != c.method {
				t.Errorf("%s %s: %s, length %d, was %s", c.method, c.path, a.Status, a.ContentLength, a.Header.Get("X-Was"))
			}
		}
	})
}

func TestNothingIsAddedToARequest(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{policy: Policy{Headers: map[string]string{"X-Route": "ours"}}})
	r := request(t, "GET", l.url+"/sandbox/none?a=1;b=%zz&c", nil)
	r.Header["User-Agent"] = nil
	r.Header.Set("Te", "trailers")
	r.Header.Set("X-Route", "theirs")
	do(t, h1Client(t), r)
	arrival := s.Ledger()[0]
	for name := range arrival.Header {
		switch name {
		case "Authorization", "Te", "X-Route":
		default:
			t.Errorf("%s was added: %q", name, arrival.Header[name])
		}
	}
	if arrival.Header.Get("Te") != "trailers" || arrival.Header.Get("X-Route") != "ours" {
		t.Errorf("got %v", arrival.Header)
	}
	if arrival.Query != "a=1;b=%zz&c" { // ReverseProxy would clean it
		t.Errorf("the query became %q", arrival.Query)
	}
	if want := strings.TrimPrefix(s.AVS(), "https://"); arrival.Authority != want {
		t.Errorf("authority %q, want %q", arrival.Authority, want)
	}
}

func TestPathsArriveAsTheyWereSent(t *testing.T) {
	l, s := toSandbox(t, sandbox.Options{}, plan{})
	for _, path := range []string{"/a%2Fb", "/a//b", "/%7euser", "/a/./b", "/a/../b", "/%E2%82%AC", "/a+b", "/a;v=1", "//x", "/x?"} {
		conn := testkit.Dial(t, l.addr)
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
		io.Copy(io.Discard, conn)
		arrivals := s.Ledger()
		if got := arrivals[len(arrivals)-1].Path; got != strings.TrimSuffix(path, "?") {
			t.Errorf("%s arrived as %s", path, got)
		}
	}
}
