package h2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/testkit"
)

// A peer is the server's end of a connection, frame by frame.
type peer struct {
	*http2.Framer
	conn net.Conn
	out  chan []byte
}

// Write does not wait.
func (p *peer) Write(b []byte) (int, error) {
	p.out <- bytes.Clone(b)
	return len(b), nil
}

// says writes what the test itself says.
func (p *peer) says() *http2.Framer { return http2.NewFramer(p, nil) }

// toPeer is a client's session to a peer in memory, which answers each request by answer.
func toPeer(t *testing.T, settings []http2.Setting, answer func(p *peer, stream uint32)) (*Session, *peer) {
	t.Helper()
	near, far := net.Pipe()
	p := &peer{conn: far, out: make(chan []byte, 1000)}
	p.Framer = http2.NewFramer(p, far)
	p.AllowIllegalWrites = true
	go func() {
		for b := range p.out {
			if _, err := far.Write(b); err != nil {
				return
			}
		}
	}()
	go testkit.ServeEach(far, p.Framer, func() { p.WriteSettings(settings...) }, func(f http2.Frame) {
		if head, ok := f.(*http2.HeadersFrame); ok && answer != nil {
			answer(p, head.StreamID)
		}
	})
	s := new(Group).Client(near, Config{})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	<-s.Settled()
	t.Cleanup(func() { s.Close(); far.Close(); <-served; close(p.out) })
	return s, p
}

func get(t *testing.T, s *Session) (*http.Response, error) {
	t.Helper()
	return s.RoundTrip(httptest.NewRequest("GET", "https://h/", nil).WithContext(t.Context()))
}

// What the server did not look at, and what it may have looked at.
func TestWhatWasNotProcessedIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		answer      func(p *peer, stream uint32)
		unprocessed bool
		code        ErrCode
	}{
		"refused":      {func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeRefusedStream) }, true, RefusedStream},
		"reset":        {func(p *peer, id uint32) { p.WriteRSTStream(id, http2.ErrCodeInternal) }, false, InternalError},
		"above GOAWAY": {func(p *peer, _ uint32) { p.WriteGoAway(0, http2.ErrCodeNo, nil) }, true, RefusedStream},
		"below GOAWAY": {func(p *peer, id uint32) {
			p.WriteGoAway(id, http2.ErrCodeNo, nil)
			p.WriteRSTStream(id, http2.ErrCodeCancel)
		}, false, Cancel},
		"lost":     {func(p *peer, _ uint32) { p.conn.Close() }, false, InternalError},
		"nonsense": {func(p *peer, id uint32) { p.WriteWindowUpdate(id, 0) }, false, ProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := toPeer(t, nil, c.answer)
				_, err := get(t, s)
				var reset *ResetError
				if !errors.As(err, &reset) || reset.Unprocessed != c.unprocessed || reset.Code != c.code {
					t.Errorf("%#v", err)
				}
			})
		})
	}
}

func TestEndedWell(t *testing.T) {
	for name, c := range map[string]struct {
		end       func(p *peer)
		well      bool
		processed bool
	}{
		"goodbye behind a request":    {func(p *peer) { p.says().WriteGoAway(1, http2.ErrCodeNo, nil) }, true, true},
		"goodbye that took none":      {func(p *peer) { p.says().WriteGoAway(0, http2.ErrCodeNo, nil) }, false, false},
		"goodbye with an error":       {func(p *peer) { p.says().WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, nil) }, false, true},
		"closed between two requests": {func(p *peer) { p.conn.Close() }, true, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, p := toPeer(t, nil, func(p *peer, id uint32) { testkit.NoContent(p.Framer, id) })
			if _, err := get(t, s); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c.end(p)
			<-s.Gone()
			synctest.Wait()
			if s.EndedWell() != c.well || s.Processed() != c.processed {
				t.Errorf("%s: well %v, processed %v", name, s.EndedWell(), s.Processed())
			}
			if _, err := get(t, s); !errors.Is(err, ErrGone) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestStreamsKeepToWhatTheServerAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := toPeer(t, []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1}}, func(p *peer, id uint32) { testkit.AnswerBegin(p.Framer, id) })
		if most, said := s.MaxStreams(); most != 1 || !said {
			t.Errorf("%d, %v", most, said)
		}
		held, err := get(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, s); !errors.Is(err, ErrFull) {
			t.Errorf("%v", err)
		}
		held.Body.Close()
		if err := s.Reserve(); err != nil || s.InFlight() != 1 {
			t.Errorf("%v, %d in flight", err, s.InFlight())
		}
		s.Release()
		p.says().WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
		synctest.Wait()
		if _, err := get(t, s); !errors.Is(err, ErrFull) {
			t.Errorf("%v", err)
		}
	})
}

func TestPingOfADeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := toPeer(t, nil, nil)
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		p.out <- nil
		dead, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.conn.Close()
		if err := s.Ping(dead); err == nil {
			t.Error("a dead connection has answered")
		}
	})
}

// One read is one DATA frame, so that who passes on what it reads keeps their borders.
func TestOneReadIsOneDataFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := toPeer(t, nil, func(p *peer, id uint32) {
			testkit.AnswerBegin(p.Framer, id)
			for _, text := range []string{"one", "two and", "three"} {
				p.WriteData(id, text == "three", []byte(text))
			}
		})
		resp, err := get(t, s)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var got []string
		for buffer := make([]byte, 100); ; {
			n, err := resp.Body.Read(buffer)
			if n > 0 {
				got = append(got, string(buffer[:n]))
			}
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if strings.Join(got, "|") != "one|two and|three" {
			t.Errorf("%q", got)
		}
	})
}

// A server that sends more than it may, or what it may not, loses the connection or the
// stream, and nobody waits for ever.
func TestServersThatBreakTheRules(t *testing.T) {
	for name, answer := range map[string]func(p *peer, id uint32){
		"DATA before the head": func(p *peer, id uint32) { p.WriteData(id, true, []byte("x")) },
		"a push": func(p *peer, id uint32) {
			p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, EndHeaders: true})
		},
		"HEADERS on an idle stream": func(p *peer, _ uint32) { testkit.NoContent(p.Framer, 99) },
		"a head without :status": func(p *peer, id uint32) {
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x82}, EndHeaders: true})
		},
		"HPACK that is none": func(p *peer, id uint32) {
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
		},
		"SETTINGS on a stream":        func(p *peer, id uint32) { p.WriteRawFrame(http2.FrameSettings, 0, id, nil) },
		"a frame that is too large":   func(p *peer, id uint32) { p.WriteRawFrame(http2.FrameData, 0, id, make([]byte, maxPayload+1)) },
		"a window without bounds":     func(p *peer, _ uint32) { p.WriteWindowUpdate(0, maxWindow) },
		"CONTINUATION without a head": func(p *peer, id uint32) { p.WriteContinuation(id, true, nil) },
		"CONTINUATION without end": func(p *peer, id uint32) {
			p.AllowIllegalWrites = true
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}})
			for range maxContinuations + 1 {
				p.WriteContinuation(id, false, nil)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := toPeer(t, nil, answer)
				began := time.Now()
				if _, err := get(t, s); err == nil || time.Since(began) > time.Second {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// The wait for a head is bounded from the end of the request, and only then.
func TestHeadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := toPeer(t, nil, nil)
		if err := s.Reserve(); err != nil {
			t.Fatal(err)
		}
		body, send := io.Pipe()
		time.AfterFunc(time.Minute, func() { send.Close() })
		began := time.Now()
		_, err := s.Send(httptest.NewRequest("POST", "https://h/", body).WithContext(t.Context()), SendOptions{HeadTimeout: time.Second})
		if took := time.Since(began); !errors.Is(err, ErrHeadTimeout) || took != time.Minute+time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}
