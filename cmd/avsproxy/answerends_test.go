package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/app"
	"avsproxy/internal/certs"
	"avsproxy/internal/sandbox/frames"
	"avsproxy/internal/testkit"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// answerShapes are answers by their path, each with the frames that it is made of. "."
// marks the one with END_STREAM.
var answerShapes = map[string]struct {
	answer func(*frames.Stream)
	frames string
}{
	"/head": {func(s *frames.Stream) { s.Head(200, grpcStatus, true) }, "HEADERS."},
	"/bare": {func(s *frames.Stream) { s.Head(201, nil, true) }, "HEADERS."},
	"/zero": {func(s *frames.Stream) { s.Head(200, []hpack.HeaderField{{Name: "content-length", Value: "0"}}, true) }, "HEADERS."},
	// There is no place any more for what was announced.
	"/announced": {func(s *frames.Stream) {
		s.Head(200, []hpack.HeaderField{{Name: "trailer", Value: "grpc-status"}}, true)
	}, "HEADERS."},
	// Go's net/http refuses a 304 whose Content-Length is not zero.
	"/unchanged":  {func(s *frames.Stream) { s.Head(304, contentLength, true) }, "HEADERS."},
	"/unchanging": {func(s *frames.Stream) { s.Head(304, contentLength, false); s.Data(nil, true) }, "HEADERS DATA(0)."},
	"/refused":    {func(s *frames.Stream) { s.Head(403, grpcStatus, true) }, "HEADERS."},
	"/data":       {func(s *frames.Stream) { s.Head(200, nil, false); s.Data([]byte("hi"), true) }, "HEADERS DATA(2)."},
	"/pieces": {func(s *frames.Stream) {
		s.Head(200, nil, false)
		s.Data([]byte("hi"), false)
		s.Data([]byte("you"), true)
	}, "HEADERS DATA(2) DATA(3)."},
	"/trailers":     {func(s *frames.Stream) { s.Head(200, nil, false); s.End(grpcStatus) }, "HEADERS HEADERS."},
	"/datatrailers": {func(s *frames.Stream) { s.Head(200, nil, false); s.Data([]byte("hi"), false); s.End(grpcStatus) }, "HEADERS DATA(2) HEADERS."},
}

var grpcStatus = []hpack.HeaderField{{Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: "5"}}

var contentLength = []hpack.HeaderField{{Name: "content-length", Value: "12345"}, {Name: "etag", Value: `"x"`}}

func TestA304MayTellTheLengthOfWhatItLeavesOut(t *testing.T) {
	proxy := serveBuilt(t, shapesConfig(t))
	for _, path := range []string{"/unchanged", "/unchanging"} {
		for range 5 {
			resp := testkit.Must(http.Get(proxy.Proxy[0] + path))(t)
			resp.Body.Close()
			if resp.StatusCode != 304 || resp.Header.Get("Etag") != `"x"` {
				t.Errorf("%s: %s %v", path, resp.Status, resp.Header)
			}
		}
	}
}

// For gRPC an answer that is one HEADERS frame says an error ("Trailers-Only"), and the
// same with an empty DATA frame behind it is a broken stream.
func TestPromise4_AnswersEndWithTheFrameThatTheUpstreamEndedThemWith(t *testing.T) {
	proxy := serveBuilt(t, shapesConfig(t))
	uploads := map[string]func(*http2.Framer){
		"no body":    nil,
		"a body":     func(f *http2.Framer) { f.WriteData(1, true, []byte("hello")) },
		"an end":     func(f *http2.Framer) { f.WriteData(1, true, nil) },
		"half of it": func(f *http2.Framer) { f.WriteData(1, false, []byte("hello")) },
	}
	for door, dial := range map[string]func(*testing.T, string) net.Conn{"h2c": dialClear, "TLS": dialHTTP2} {
		for path, shape := range answerShapes {
			for sent, upload := range uploads {
				ask := path + "?whole"
				if sent == "half of it" {
					if ask = path; path != "/head" && path != "/refused" {
						continue // the rest is waited for, lest the client lose the answer; gRPC's do not
					}
				}
				got := answerFrames(t, dial(t, app.PortOf(proxy.Proxy[0])), ask, upload)
				if got != shape.frames {
					t.Errorf("%s %s, %s: %s, want %s", door, path, sent, got, shape.frames)
				}
			}
		}
	}
}

// shapesConfig starts an upstream that has the answers.
func shapesConfig(t *testing.T) string {
	t.Helper()
	authority := testkit.Must(certs.New("test authority"))(t)
	leaf := testkit.Must(authority.Leaf(time.Hour, "localhost", "127.0.0.1"))(t)
	roots := testkit.File(t, "roots.pem", authority.RootPEM())
	ln := testkit.Must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"h2"}}))(t)
	server := &frames.Server{Handler: func(s *frames.Stream) {
		path, whole := strings.CutSuffix(pathOf(s), "?whole")
		if whole {
			io.Copy(io.Discard, s)
		}
		answerShapes[path].answer(s)
	}}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(ctx, conn)
		}
	}()
	t.Cleanup(func() { cancel(); ln.Close() })
	return fmt.Sprintf("[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n"+
		"[[route]]\nname = \"api\"\nupstream = \"https://%s\"\nca_file = %q\n", ln.Addr(), roots)
}

func pathOf(s *frames.Stream) string {
	all := s.Fields()
	return all[slices.IndexFunc(all, func(f hpack.HeaderField) bool { return f.Name == ":path" })].Value
}

func dialClear(t *testing.T, port string) net.Conn {
	t.Helper()
	return testkit.Dial(t, "127.0.0.1:"+port)
}

func dialHTTP2(t *testing.T, port string) net.Conn {
	t.Helper()
	return testkit.Must(tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{NextProtos: []string{"h2"}, ServerName: "localhost", InsecureSkipVerify: true}))(t)
}

// answerFrames asks for path and returns the frames of the answer.
func answerFrames(t *testing.T, conn net.Conn, path string, upload func(*http2.Framer)) string {
	t.Helper()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: upload == nil, BlockFragment: postHead(path)})
	if upload != nil {
		upload(framer)
	}
	var seen []string
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return strings.Join(append(seen, err.Error()), " ")
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			seen = append(seen, "HEADERS")
		case *http2.DataFrame:
			seen = append(seen, fmt.Sprintf("DATA(%d)", len(frame.Data())))
		default:
			continue
		}
		if frame.Header().Flags.Has(http2.FlagHeadersEndStream) { // which is that of DATA, too
			return strings.Join(seen, " ") + "."
		}
	}
}

func postHead(path string) []byte {
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path}} {
		fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return block.Bytes()
}
