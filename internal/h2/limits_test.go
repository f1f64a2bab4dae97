package h2

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An attacker is a client, frame by frame.
type attacker struct {
	*http2.Framer
	conn net.Conn
	get  []byte // the head of a request
}

func attack(t *testing.T, handler http.HandlerFunc) *attacker {
	t.Helper()
	addr := serveH2(t, handler, Config{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, Preface)
	a := &attacker{Framer: http2.NewFramer(conn, conn), conn: conn, get: block(t, ":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/")}
	a.AllowIllegalWrites = true
	a.WriteSettings()
	return a
}

func block(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var out strings.Builder
	encoder := hpack.NewEncoder(&out)
	encoder.SetMaxDynamicTableSize(0)
	for i := 0; i < len(pairs); i += 2 {
		encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return []byte(out.String())
}

func (a *attacker) request(id uint32) {
	a.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: a.get, EndHeaders: true, EndStream: true})
}

// ended reads until the connection ends, and returns the code of its GOAWAY.
func (a *attacker) ended(t *testing.T) http2.ErrCode {
	t.Helper()
	code := http2.ErrCodeNo
	for {
		frame, err := a.ReadFrame()
		if err != nil {
			if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
				t.Error("the connection goes on")
			}
			return code
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			code = away.ErrCode
		}
	}
}

// Each of these costs the attacker its connection (RFC 9113 section 10.5).
func TestFloodsEndTheConnection(t *testing.T) {
	for name, flood := range map[string]func(a *attacker, i int) error{
		"rapid reset (CVE-2023-44487)": func(a *attacker, i int) error {
			a.request(uint32(2*i + 1))
			return a.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
		},
		"MadeYouReset (CVE-2025-8671)": func(a *attacker, i int) error {
			a.request(uint32(2*i + 1))
			return a.WriteWindowUpdate(uint32(2*i+1), 0)
		},
		"PING":     func(a *attacker, _ int) error { return a.WritePing(false, [8]byte{}) },
		"SETTINGS": func(a *attacker, _ int) error { return a.WriteSettings() },
		"PRIORITY": func(a *attacker, _ int) error { return a.WriteRawFrame(http2.FramePriority, 0, 9, make([]byte, 5)) },
		"unknown":  func(a *attacker, _ int) error { return a.WriteRawFrame(0xbe, 0, 0, nil) },
		"empty DATA": func(a *attacker, i int) error {
			if i == 0 {
				a.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.get, EndHeaders: true})
			}
			return a.WriteData(1, false, nil)
		},
		"HPACK bomb": func(a *attacker, i int) error { // each byte names an entry of 4 KB
			entry := []byte("\x40\x01x\x7f\xbd\x1d" + strings.Repeat("x", 3900))
			return a.WriteHeaders(http2.HeadersFrameParam{
				StreamID: uint32(2*i + 1), BlockFragment: append(entry, bytes.Repeat([]byte{0xbe}, 12_000)...), EndHeaders: true, EndStream: true,
			})
		},
		"CONTINUATION": func(a *attacker, i int) error {
			if i == 0 {
				a.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.get})
			}
			return a.WriteContinuation(1, false, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			go func() {
				for i := range 1 << 20 {
					if flood(a, i) != nil {
						return
					}
				}
			}()
			if code := a.ended(t); code != http2.ErrCodeEnhanceYourCalm && code != http2.ErrCodeNo { // which may be lost over the end
				t.Errorf("ended with %v", code)
			}
		})
	}
}

// Who gives up an upload since it was answered has done nothing in vain.
func TestUploadsThatAreGivenUpBehindTheirAnswerAreNoFlood(t *testing.T) {
	a := attack(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) })
	for id := uint32(1); id < 2000; id += 2 {
		a.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: a.get, EndHeaders: true})
		for answered := false; !answered; {
			frame, err := a.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch f := frame.(type) {
			case *http2.GoAwayFrame:
				t.Fatalf("stream %d: %v", id, f)
			case *http2.HeadersFrame:
				answered = f.StreamEnded()
			}
		}
		a.WriteRSTStream(id, http2.ErrCodeCancel)
	}
}

// What is too large is refused, and the connection goes on.
func TestHeadersThatAreTooLargeAreRefused(t *testing.T) {
	a := attack(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	pairs := []string{":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/"}
	for range 9 {
		pairs = append(pairs, "x-much", strings.Repeat("0", 9<<10))
	}
	large := block(t, pairs...)
	a.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: large[:maxPayload], EndStream: true})
	for rest := large[maxPayload:]; len(rest) > 0; {
		n := min(len(rest), maxPayload)
		a.WriteContinuation(1, n == len(rest), rest[:n])
		rest = rest[n:]
	}
	a.request(3)
	statuses := map[uint32]string{}
	decoder := hpack.NewDecoder(4096, nil)
	for len(statuses) < 2 {
		frame, err := a.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if head, ok := frame.(*http2.HeadersFrame); ok {
			fields, err := decoder.DecodeFull(head.HeaderBlockFragment())
			if err != nil {
				t.Fatal(err)
			}
			statuses[head.StreamID] = fields[0].Value
		}
	}
	if statuses[1] != "431" || statuses[3] != "204" {
		t.Errorf("%v", statuses)
	}
}

// Streams beyond the bound are refused, not queued.
func TestStreamsBeyondTheBoundAreRefused(t *testing.T) {
	a := attack(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for i := range uint32(defaultStreams + 1) {
		a.request(2*i + 1)
	}
	for {
		frame, err := a.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if reset, ok := frame.(*http2.RSTStreamFrame); ok {
			if reset.StreamID != 2*defaultStreams+1 || reset.ErrCode != http2.ErrCodeRefusedStream {
				t.Errorf("%v", reset)
			}
			return
		}
	}
}

// A client that is silent, or speaks no HTTP/2, is not waited for.
func TestSlowPrefaceIsNotWaitedFor(t *testing.T) {
	addr := serveH2(t, http.NotFoundHandler(), Config{FirstTimeout: 50 * time.Millisecond})
	for _, sent := range []string{"", "PRI * HTTP/2.0", Preface} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, sent)
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %v", sent, err)
		}
		conn.Close()
	}
}
