package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"

	"golang.org/x/net/http2"
)

// overDoors runs a test over each protocol that programs speak to the proxy, TLS too.
func (l *line) overDoors(t *testing.T, test func(t *testing.T, client *http.Client, url string)) {
	secure := testkit.TLSServer(t, l.handler)
	t.Run("HTTP1", func(t *testing.T) { test(t, h1Client(t), l.url) })
	t.Run("h2c", func(t *testing.T) { test(t, h2cClient(t), l.url) })
	t.Run("h2", func(t *testing.T) {
		client := newClient(t, (*http.Protocols).SetHTTP2)
		transportOf(client).TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
		test(t, client, secure.URL)
	})
}

// pouring answers /N with that many bytes, and counts all that was taken from it.
func pouring(poured *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		chunk, left := make([]byte, 64<<10), int64(0)
		fmt.Sscanf(r.URL.Path, "/%d", &left)
		for left > 0 {
			n, err := w.Write(chunk[:min(left, int64(len(chunk)))])
			if err != nil {
				return
			}
			left -= int64(n)
			poured.Add(int64(n))
		}
	}
}

// The reader takes a little at a time, the upstream gives all it can: what is
// between them must stay in windows and sockets.
func TestPromise7_AGibibyteThroughASlowReaderTakesNoMemory(t *testing.T) {
	size := int64(1 << 30)
	if raceEnabled || !testkit.IsHeavy() {
		size >>= 3
	}
	const ahead, most = 32 << 20, 32 << 20
	var poured atomic.Int64
	origin, roots := upstreamTLS(t, pouring(&poured))
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	l.overDoors(t, func(t *testing.T, client *http.Client, url string) {
		grown := watchHeap(t)
		poured.Store(0)
		resp, err := client.Do(request(t, "GET", fmt.Sprintf("%s/%d", url, size), nil))
		testkit.NoError(t, err)
		defer resp.Body.Close()
		little, read, furthest := make([]byte, 2048), int64(0), int64(0)
		for err == nil {
			var n int
			n, err = resp.Body.Read(little)
			read += int64(n)
			furthest = max(furthest, poured.Load()-read)
		}
		if err != io.EOF || read != size {
			t.Fatalf("%d bytes: %v", read, err)
		}
		if grown := grown(); grown > most || furthest > ahead {
			t.Errorf("the heap grew by %d KiB; the upstream was %d KiB ahead", grown>>10, furthest>>10)
		}
		size = 128 << 20 // enough for the others, over HTTP/2, which costs the test's client more
	})
}

// All of them share one connection to the upstream, and over HTTP/2 the client's.
func TestPromise7_AStalledClientStallsOnlyItsOwnStream(t *testing.T) {
	const size, others = 8 << 20, 5
	var poured atomic.Int64
	origin, roots := upstreamTLS(t, pouring(&poured))
	var connections atomic.Int64
	l := build(t, origin, roots, plan{source: static(), options: upstream.Options{
		SingleConnection: true, Connections: func(delta int) { connections.Add(int64(max(delta, 0))) },
	}})
	l.overDoors(t, func(t *testing.T, client *http.Client, url string) {
		for range 3 { // which read nothing but the head
			resp := testkit.Must(client.Do(request(t, "GET", fmt.Sprintf("%s/%d", url, 1<<30), nil)))(t)
			defer resp.Body.Close()
		}
		for range others {
			if a := get(t, client, fmt.Sprintf("%s/%d", url, size)); len(a.body) != size {
				t.Fatalf("%d bytes", len(a.body))
			}
		}
	})
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// What a client gives up is given up upstream at once: that stream, by CANCEL, and
// nothing else.
func TestACancelledClientResetsItsStreamUpstream(t *testing.T) {
	began, codes := make(chan struct{}, 1), make(chan http2.ErrCode, 1)
	conns := atomic.Int64{}
	addr, roots := rawTLS(t, []string{"h2"}, func(conn net.Conn) {
		conns.Add(1)
		framer := http2.NewFramer(conn, conn)
		testkit.ServeEach(conn, framer, nil, func(frame http2.Frame) {
			switch frame := frame.(type) {
			case *http2.HeadersFrame:
				testkit.AnswerBegin(framer, frame.StreamID)
				framer.WriteData(frame.StreamID, false, []byte("some"))
				began <- struct{}{}
			case *http2.RSTStreamFrame:
				codes <- frame.ErrCode
			}
		})
	})
	l := build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
	l.overDoors(t, func(t *testing.T, client *http.Client, url string) {
		ctx, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		resp := testkit.Must(client.Do(request(t, "GET", url+"/", nil).WithContext(ctx)))(t)
		defer resp.Body.Close()
		<-began
		hangUp()
		if code := <-codes; code != http2.ErrCodeCancel {
			t.Errorf("RST_STREAM %v", code)
		}
	})
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
