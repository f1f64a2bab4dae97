package frames

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

func TestAnnouncedSettings(t *testing.T) {
	s, _ := streams()
	s.InitialWindowSize = maxWindow
	nc, _ := pipe(t, t.Context(), s)
	f := expect[*http2.SettingsFrame](newRaw(t, nc))
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingMaxConcurrentStreams: 100, http2.SettingInitialWindowSize: maxWindow, http2.SettingMaxHeaderListSize: 40960,
	} {
		if got, _ := f.Value(id); got != want {
			t.Errorf("%v is %d, want %d", id, got, want)
		}
	}
}

func TestSilentClientsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := streams()
		nc, wait := pipe(t, t.Context(), s)
		go io.Copy(io.Discard, nc)
		began := time.Now()
		wait()
		if d := time.Since(began); d != 10*time.Second {
			t.Error(d)
		}
	})
}

func TestSilenceLaterIsFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, came := streams()
		nc, _ := pipe(t, t.Context(), s)
		r := newRaw(t, nc)
		nc.SetDeadline(time.Time{})
		go io.Copy(io.Discard, nc)
		io.WriteString(nc, http2.ClientPreface)
		r.WriteSettings()
		r.request(1, true)
		stream := <-came
		time.Sleep(24 * time.Hour)
		if err := stream.Context().Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsNotHTTP2(t *testing.T) {
	s, _ := streams()
	nc, wait := pipe(t, t.Context(), s)
	go io.WriteString(nc, "GET / HTTP/1.1\r\n\r\n")
	text, _ := io.ReadAll(nc)
	if bytes.HasPrefix(text, []byte("HTTP/")) || len(text) == 0 {
		t.Errorf("%q", text)
	}
	nc.Close()
	wait()
}

func TestTooManyStreams(t *testing.T) {
	s, came := streams()
	s.MaxConcurrentStreams = 1
	r := dial(t, s)
	r.request(1, true)
	first := <-came
	r.request(3, true)
	r.wantReset(3, http2.ErrCodeRefusedStream)
	first.Head(204, nil, true)
	r.wantStatus(1, "204")
	r.request(5, true)
	<-came
}

func TestTooManyResets(t *testing.T) {
	stop := make(chan bool)
	r := dial(t, &Server{MaxConcurrentStreams: 30, Handler: func(*Stream) { <-stop }})
	t.Cleanup(func() { close(stop) }) // before the server is waited for
	for id := uint32(1); id < 300; id += 2 {
		r.request(id, true)
		r.WriteRSTStream(id, http2.ErrCodeCancel)
	}
	if f := expect[*http2.GoAwayFrame](r); f.ErrCode != http2.ErrCodeEnhanceYourCalm || f.LastStreamID != 241 {
		t.Errorf("%v last %d", f.ErrCode, f.LastStreamID)
	}
}

func TestTooMuchThatIsNotRead(t *testing.T) {
	s, _ := streams()
	nc, wait := pipe(t, t.Context(), s)
	io.WriteString(nc, http2.ClientPreface)
	f := http2.NewFramer(nc, nil)
	f.WriteSettings()
	for range 3 * maxUnread {
		if f.WritePing(false, [8]byte{}) != nil {
			break
		}
	}
	wait()
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	s, _ := streams()
	r := dial(t, s)
	large := slices.Repeat([]string{"x-large", strings.Repeat("x", 4000)}, 11) // compressed, it fits into one frame
	r.request(1, false, large...)
	r.wantStatus(1, "431")
	r.wantReset(1, http2.ErrCodeNo)
	r.request(3, false)
	r.fields(3, true, large...)
	r.wantReset(3, http2.ErrCodeProtocol)
	r.wantAlive() // and the compression works still
}

func TestEndlessHeaders(t *testing.T) {
	for name, fragment := range map[string]string{"empty": "", "large": strings.Repeat("\x00\x01a\x01b", 1000)} {
		t.Run(name, func(t *testing.T) {
			s, _ := streams()
			r := dial(t, s)
			r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.encode(":method", "GET")})
			for range maxFragments + 1 {
				if r.WriteContinuation(1, false, []byte(fragment)) != nil {
					break
				}
			}
			r.wantGoAway(http2.ErrCodeEnhanceYourCalm)
		})
	}
}

func TestStreamErrors(t *testing.T) {
	for name, test := range map[string]struct {
		send func(*raw)
		code http2.ErrCode
	}{
		"uppercase":            {func(r *raw) { r.request(1, true, "X-Upper", "") }, http2.ErrCodeProtocol},
		"connection":           {func(r *raw) { r.request(1, true, "connection", "close") }, http2.ErrCodeProtocol},
		"body without length":  {func(r *raw) { r.request(1, true, "content-length", "1") }, http2.ErrCodeProtocol},
		"body too short":       {func(r *raw) { r.request(1, false, "content-length", "2"); r.WriteData(1, true, []byte("1")) }, http2.ErrCodeProtocol},
		"body too long":        {func(r *raw) { r.request(1, false, "content-length", "2"); r.WriteData(1, false, []byte("123")) }, http2.ErrCodeProtocol},
		"short before trailer": {func(r *raw) { r.request(1, false, "content-length", "2"); r.fields(1, true, "a", "b") }, http2.ErrCodeProtocol},
		"pseudo in trailer":    {func(r *raw) { r.request(1, false); r.fields(1, true, ":path", "/") }, http2.ErrCodeProtocol},
		"trailer without end":  {func(r *raw) { r.request(1, false); r.fields(1, false, "a", "b") }, http2.ErrCodeProtocol},
		"data after end":       {func(r *raw) { r.request(1, true); r.WriteData(1, true, nil) }, http2.ErrCodeStreamClosed},
		"headers after end":    {func(r *raw) { r.request(1, true); r.fields(1, true, "a", "b") }, http2.ErrCodeStreamClosed},
		"data after reset":     {func(r *raw) { r.request(1, false); r.WriteRSTStream(1, 8); r.WriteData(1, true, nil) }, http2.ErrCodeStreamClosed},
		"headers after reset":  {func(r *raw) { r.request(1, false); r.WriteRSTStream(1, 8); r.fields(1, true, "a", "b") }, http2.ErrCodeStreamClosed},
		"depends on itself":    {func(r *raw) { r.request(1, true); r.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }, http2.ErrCodeProtocol},
		"begins to do so":      {func(r *raw) { r.WriteHeaders(selfDependent(r)) }, http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := streams()
			r := dial(t, s)
			test.send(r)
			r.wantReset(1, test.code)
			if test.code != http2.ErrCodeStreamClosed {
				r.WriteData(1, false, []byte("was on its way")) // which is no error
			}
			r.wantAlive()
		})
	}
}

func selfDependent(r *raw) http2.HeadersFrameParam {
	block := r.encode(":method", "GET", ":scheme", "https", ":path", "/")
	return http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 1}}
}

func TestConnectionErrors(t *testing.T) {
	for name, test := range map[string]struct {
		send func(*raw)
		code http2.ErrCode
	}{
		"even stream":            {func(r *raw) { r.request(2, true) }, http2.ErrCodeProtocol},
		"descending stream":      {func(r *raw) { r.request(5, true); r.request(3, true) }, http2.ErrCodeProtocol},
		"data on idle":           {func(r *raw) { r.WriteData(1, true, nil) }, http2.ErrCodeProtocol},
		"reset on idle":          {func(r *raw) { r.WriteRSTStream(1, 8) }, http2.ErrCodeProtocol},
		"idle depends on itself": {func(r *raw) { r.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }, http2.ErrCodeProtocol},
		"push":                   {func(r *raw) { r.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true}) }, http2.ErrCodeProtocol},
		"bad setting":            {func(r *raw) { r.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 2}) }, http2.ErrCodeProtocol},
		"bad window setting":     {func(r *raw) { r.WriteSettings(initial(1), initial(1<<31)) }, http2.ErrCodeFlowControl},
		"settings overflow":      {func(r *raw) { r.request(1, true); r.WriteWindowUpdate(1, 100); r.WriteSettings(initial(maxWindow)) }, http2.ErrCodeFlowControl},
		"frame too large":        {func(r *raw) { r.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, minMaxFrameSize+1)) }, http2.ErrCodeFrameSize},
		"short ping":             {func(r *raw) { r.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 7)) }, http2.ErrCodeFrameSize},
		"padding without size":   {func(r *raw) { r.request(1, false); r.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 1, nil) }, http2.ErrCodeFrameSize},
		"padding of a block": {func(r *raw) {
			r.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, []byte{9})
		}, http2.ErrCodeProtocol},
		"interrupted block":  {func(r *raw) { r.WriteRawFrame(http2.FrameHeaders, 0, 1, nil); r.WritePing(false, [8]byte{}) }, http2.ErrCodeProtocol},
		"stray continuation": {func(r *raw) { r.WriteContinuation(1, true, nil) }, http2.ErrCodeProtocol},
		"bad compression":    {func(r *raw) { r.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0x80}) }, http2.ErrCodeCompression},
		"half a field":       {func(r *raw) { r.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0, 5}) }, http2.ErrCodeCompression},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := streams()
			r := dial(t, s)
			test.send(r)
			r.wantGoAway(test.code)
		})
	}
}

func TestHeadersOfAFinishedStream(t *testing.T) {
	r := dial(t, &Server{Handler: func(s *Stream) { s.Head(204, nil, true) }})
	r.request(1, true)
	r.wantStatus(1, "204")
	r.request(1, true)
	r.wantGoAway(http2.ErrCodeStreamClosed)
}

func TestFirstFrameMustBeSettings(t *testing.T) {
	s, _ := streams()
	nc, wait := pipe(t, t.Context(), s)
	r := newRaw(t, nc)
	io.WriteString(nc, http2.ClientPreface)
	go r.WritePing(false, [8]byte{}) // the server does not read all of it
	r.wantGoAway(http2.ErrCodeProtocol)
	nc.Close()
	wait()
}

func TestUnknownFramesMeanNothing(t *testing.T) {
	s, _ := streams()
	r := dial(t, s)
	r.WriteRawFrame(0x42, 0xff, 77, []byte("what?"))
	r.WriteGoAway(0, http2.ErrCodeNo, nil)
	r.WritePriority(9, http2.PriorityParam{StreamDep: 3})
	r.wantAlive()
}

func TestLostConnectionIsNoEndOfBody(t *testing.T) {
	failed := make(chan error, 1)
	r := dial(t, &Server{Handler: HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if string(text) != "what came" {
			err = fmt.Errorf("%q, %v", text, err)
		}
		failed <- err
	}))})
	r.request(1, false)
	r.WriteData(1, false, []byte("what came"))
	r.wantAlive()
	r.nc.Close()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "connection 1 ended") {
		t.Error(err)
	}
}
