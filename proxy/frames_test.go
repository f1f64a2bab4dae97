package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"

	"golang.org/x/net/http2"
)

// framed is an upstream that answers each request with ":status: 200" and then with the
// DATA frames, all in one piece, and what end adds to them.
func framed(t *testing.T, data []string, end func(framer *http2.Framer, stream uint32)) *line {
	t.Helper()
	addr, roots := rawTLS(t, []string{"h2"}, func(conn net.Conn) {
		out := bufio.NewWriterSize(conn, 1<<20)
		testkit.ServeFrames(struct {
			io.Reader
			io.Writer
		}{conn, conn}, func(_ *http2.Framer, stream uint32) {
			framer := http2.NewFramer(out, nil)
			testkit.AnswerBegin(framer, stream)
			for _, text := range data {
				framer.WriteDataPadded(stream, false, []byte(text), make([]byte, len(text)%7))
			}
			end(framer, stream)
			out.Flush()
		})
	})
	return build(t, "https://"+addr, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
}

// What the upstream flushed by itself comes out by itself, however fast it came.
func TestPromise4_OneDataFrameIsOneFlush(t *testing.T) {
	sizes := []int{52, 1, 700, 3, 16000, 2, 2, 2, 300}
	var data []string
	for i, size := range sizes {
		data = append(data, strings.Repeat(string(rune('a'+i)), size))
	}
	for round := range 10 {
		l := framed(t, data, func(framer *http2.Framer, stream uint32) { framer.WriteData(stream, true, nil) })
		if got := chunks(t, l); !slices.Equal(got, sizes) {
			t.Errorf("round %d: chunks of %v, want %v", round, got, sizes)
		}
		if got := dataFrames(t, l); !slices.Equal(got, sizes) {
			t.Errorf("round %d: frames of %v, want %v", round, got, sizes)
		}
	}
}

// chunks are the sizes of those that an HTTP/1.1 client gets.
func chunks(t *testing.T, l *line) (sizes []int) {
	t.Helper()
	conn := testkit.Dial(t, l.addr)
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	in := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		line, _ = in.ReadString('\n')
	}
	for {
		var size int
		testkit.Must(fmt.Fscanf(in, "%x\r\n", &size))(t)
		if size == 0 {
			return sizes
		}
		sizes = append(sizes, size)
		in.Discard(size + len("\r\n"))
	}
}

// dataFrames are the sizes of the DATA frames that an HTTP/2 client gets.
func dataFrames(t *testing.T, l *line) (sizes []int) {
	t.Helper()
	conn := testkit.Dial(t, l.addr)
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, EndHeaders: true, EndStream: true, // GET http / localhost
		BlockFragment: append([]byte{0x82, 0x86, 0x84, 0x01, 9}, "localhost"...),
	})
	for {
		frame := testkit.Must(framer.ReadFrame())(t)
		if data, ok := frame.(*http2.DataFrame); ok {
			if len(data.Data()) > 0 {
				sizes = append(sizes, len(data.Data()))
			}
			if data.StreamEnded() {
				return sizes
			}
		}
	}
}

// A client sees how the upstream broke off, as far as its protocol has words for that.
func TestResetsReachTheClient(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeCancel, http2.ErrCodeEnhanceYourCalm, http2.ErrCodeInternal, http2.ErrCodeNo} {
		t.Run(code.String(), func(t *testing.T) {
			l := framed(t, []string{"half"}, func(framer *http2.Framer, stream uint32) { framer.WriteRSTStream(stream, code) })
			want := code
			if code == http2.ErrCodeNo {
				want = http2.ErrCodeInternal // or the answer would look whole
			}
			resp := testkit.Must(h2cClient(t).Do(request(t, "GET", l.url, nil)))(t)
			defer resp.Body.Close()
			var reset http2.StreamError
			if _, err := io.ReadAll(resp.Body); !errors.As(err, &reset) || reset.Code != want {
				t.Errorf("HTTP/2: %v, want %v", err, want)
			}
			resp = testkit.Must(h1Client(t).Do(request(t, "GET", l.url, nil)))(t)
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != io.ErrUnexpectedEOF {
				t.Errorf("HTTP/1.1: %q, %v", got, err)
			}
		})
	}
}
