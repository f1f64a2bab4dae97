package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
)

// echo answers with the stream's number, what of the header is there, and the body.
func echo(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %d %d fields tls=%t\n", r.Proto, StreamID(r.Context()), len(r.Header), r.TLS != nil && r.TLS.HandshakeComplete)
	io.Copy(w, r.Body)
	fmt.Fprint(w, r.Trailer.Get("Late"))
}

func TestStreamsHaveTheirNumbersAndNothingElseChanges(t *testing.T) {
	serverConf, clientConf := testkit.TLSConfigs(t)
	big := strings.Repeat("body ", 50_000)
	for _, secure := range []bool{false, true} {
		conf := serverConf
		if !secure {
			conf = nil
		}
		address := serve(t, conf, http.HandlerFunc(echo))
		for _, size := range []int{1, 5, 11, 4096, 1 << 20} {
			t.Run(fmt.Sprintf("tls=%t by %d", secure, size), func(t *testing.T) {
				conn, _ := connect(t, address, func(c net.Conn) net.Conn {
					c = torn{c, size}
					if secure {
						return tls.Client(c, clientConf)
					}
					return c
				})
				for i := range 3 {
					req := request(t, "POST", address, io.MultiReader(strings.NewReader(big[:len(big)/5*i])))
					req.Header = http.Header{"X-Long": {strings.Repeat("v", 30_000)}, "User-Agent": {"x"}} // takes a CONTINUATION
					req.Trailer = http.Header{"Late": {"trailer"}}
					resp := roundTrip(t, conn, req)
					got := testkit.Must(io.ReadAll(resp.Body))(t)
					id := 2*i + 1
					if secure && !servesAnyTLS {
						id = 0
					}
					want := fmt.Sprintf("HTTP/2.0 %d 2 fields tls=%t\n%strailer", id, secure, big[:len(big)/5*i])
					if string(got) != want {
						t.Errorf("got %.80q of %d bytes, want %.80q of %d", got, len(got), want, len(want))
					}
				}
			})
		}
	}
}

func TestWhatIsNotHTTP2Passes(t *testing.T) {
	serverConf, clientConf := testkit.TLSConfigs(t)
	for _, method := range []string{"GET", "POST", "PUT", "PRI"} { // the last is how HTTP/2 begins, too
		for _, conf := range []*tls.Config{nil, serverConf} {
			address := serve(t, conf, http.HandlerFunc(echo))
			conn := testkit.Dial(t, address)
			defer conn.Close()
			if conf != nil {
				only1 := clientConf.Clone()
				only1.NextProtos = nil
				conn = tls.Client(conn, only1)
			}
			fmt.Fprintf(conn, "%s /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", method)
			got := testkit.Must(io.ReadAll(conn))(t)
			if !bytes.Contains(got, []byte(fmt.Sprintf("HTTP/1.1 0 2 fields tls=%t\nhi", conf != nil))) {
				t.Errorf("%s: %s", method, got)
			}
		}
	}
}

func TestClientsCannotGiveNumbers(t *testing.T) {
	var field string
	address := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		field = r.Context().Value(connKey{}).(*server).field
		fmt.Fprint(w, StreamID(r.Context()), len(r.Header))
	}))
	conn, _ := connect(t, address, nil)
	roundTrip(t, conn, request(t, "GET", address, nil))
	req := request(t, "GET", address, nil)
	req.Header = http.Header{field: {"77", "79"}} // nobody else can know the name
	resp := roundTrip(t, conn, req)
	if got, _ := io.ReadAll(resp.Body); string(got) != "3 1" { // and a User-Agent
		t.Errorf("got %s", got)
	}
}

func TestStreamsAreResetAsWanted(t *testing.T) {
	serverConf, clientConf := testkit.TLSConfigs(t)
	for _, code := range []http2.ErrCode{http2.ErrCodeCancel, http2.ErrCodeEnhanceYourCalm, 0x12345678} {
		for _, conf := range []*tls.Config{nil, serverConf} {
			address := serve(t, conf, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "half")
				http.NewResponseController(w).Flush()
				if r.Header.Get("Reset") != "" {
					ResetWith(r.Context(), code)
				}
				panic(http.ErrAbortHandler)
			}))
			conn, _ := connect(t, address, func(c net.Conn) net.Conn {
				if conf != nil {
					return tls.Client(c, clientConf)
				}
				return c
			})
			for _, reset := range []string{"", "yes"} {
				want := code
				if reset == "" || conf != nil && !servesAnyTLS {
					want = http2.ErrCodeInternal
				}
				req := request(t, "GET", address, nil)
				req.Header.Set("Reset", reset)
				resp := roundTrip(t, conn, req)
				got, err := io.ReadAll(resp.Body)
				var stream http2.StreamError
				if string(got) != "half" || !errors.As(err, &stream) || stream.Code != want {
					t.Errorf("%q, %v; want %v", got, err, want)
				}
			}
		}
	}
}

func TestCodeIsWrittenHoweverTheFrameIsCut(t *testing.T) {
	var frames bytes.Buffer
	framer := http2.NewFramer(&frames, nil)
	framer.WriteSettings()
	framer.WriteData(1, false, []byte("RST"))
	framer.WriteRSTStream(1, http2.ErrCodeInternal)
	framer.WriteRSTStream(3, http2.ErrCodeInternal)
	for size := 1; size <= frames.Len(); size++ {
		out := &recorder{}
		s := newServer(out)
		s.protocol.Store(speaksHTTP2)
		s.setResetCode(1, 0x01020304)
		given := bytes.Clone(frames.Bytes())
		for rest := given; len(rest) > 0; {
			n := min(size, len(rest))
			testkit.Must(s.Write(rest[:n]))(t)
			rest = rest[n:]
		}
		want := bytes.Clone(frames.Bytes())
		copy(want[9+9+3+9:], []byte{1, 2, 3, 4})
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("by %d: % x, want % x", size, out.Bytes(), want)
		}
		if !bytes.Equal(given, frames.Bytes()) {
			t.Errorf("by %d: the writer's bytes were changed", size)
		}
		if len(s.codes) != 0 {
			t.Errorf("by %d: kept %v", size, s.codes)
		}
	}
}

type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error)  { return r.Buffer.Read(p) }
func (r *recorder) Write(p []byte) (int, error) { return r.Buffer.Write(p) }
