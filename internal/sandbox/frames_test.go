package sandbox

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// watch opens the downchannel by hand and returns a reader of its frames:
// http.Client would hide where one DATA frame ends and the next begins.
func watch(t *testing.T, s *Sandbox, token string) *http2.Framer {
	t.Helper()
	r := dial(t, s)
	r.get(1, "/v20160207/directives", token)
	return r.Framer
}

func nextData(t *testing.T, framer *http2.Framer) string {
	t.Helper()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			return string(data.Data())
		}
	}
}

func TestDownchannelIsOneDataFramePerDirective(t *testing.T) {
	s := start(t, Options{})
	frames := watch(t, s, loggedIn(t, s).AccessToken)
	boundary := nextData(t, frames)
	if !strings.HasPrefix(boundary, "--------") || strings.Index(boundary, "\r\n") != len(boundary)-2 {
		t.Errorf("first frame %q", boundary)
	}
	s.Direct("SpeechRecognizer", "StopCapture", nil)
	s.Direct("Speaker", "SetVolume", nil)
	for _, name := range []string{"ResetUserInactivity", "StopCapture", "SetVolume"} {
		frame := nextData(t, frames)
		if !strings.HasPrefix(frame, "Content-Type: application/json; charset=UTF-8\r\n\r\n{") ||
			!strings.Contains(frame, name) || !strings.HasSuffix(frame, "}}\r\n"+boundary) {
			t.Errorf("%s: frame %q", name, frame)
		}
	}
}

func TestServerSettingsAreThoseObserved(t *testing.T) {
	s := start(t, Options{})
	frame, err := watch(t, s, "none").ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings := frame.(*http2.SettingsFrame)
	for id, want := range map[http2.SettingID]uint32{http2.SettingMaxConcurrentStreams: 100, http2.SettingMaxHeaderListSize: 40960, http2.SettingInitialWindowSize: 1<<31 - 1} {
		if got, _ := settings.Value(id); got != want {
			t.Errorf("%v is %d, want %d", id, got, want)
		}
	}
}
