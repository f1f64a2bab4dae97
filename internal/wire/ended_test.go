package wire

import (
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
)

// How a server ended a connection is told by its frames, and by what it still owed.
func TestCleanEndOfAConnectionIsKnown(t *testing.T) {
	head := func(f *http2.Framer, stream uint32, last bool) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: last})
	}
	for name, c := range map[string]struct {
		streams    int // that were opened
		say        func(f *http2.Framer)
		well, took bool
	}{
		"closed, unused":            {0, func(*http2.Framer) {}, true, false},
		"closed, all answered":      {2, func(f *http2.Framer) { head(f, 1, true); head(f, 3, false); f.WriteData(3, true, nil) }, true, false},
		"closed, one reset":         {1, func(f *http2.Framer) { f.WriteRSTStream(1, http2.ErrCodeCancel) }, true, false},
		"closed within an answer":   {2, func(f *http2.Framer) { head(f, 1, true); head(f, 3, false) }, false, false},
		"closed without an answer":  {1, func(*http2.Framer) {}, false, false},
		"closed within a frame":     {0, func(f *http2.Framer) { f.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 3)) }, false, false},
		"goodbye, unused":           {0, func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeNo, nil) }, true, false},
		"goodbye before the stream": {1, func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeNo, nil) }, false, false},
		"goodbye in an answer":      {1, func(f *http2.Framer) { head(f, 1, false); f.WriteGoAway(1, http2.ErrCodeNo, nil) }, true, true},
		"goodbye with an error":     {0, func(f *http2.Framer) { f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }, false, false},
	} {
		near, far := net.Pipe()
		client := NewClient(near)
		for i := range c.streams {
			client.opened(frame{kind: http2.FrameHeaders, stream: uint32(2*i + 1)})
		}
		go func() {
			c.say(http2.NewFramer(cutting{far, name == "closed within a frame"}, nil))
			far.Close()
		}()
		io.Copy(io.Discard, client)
		if client.EndedWell() != c.well || client.Took() != c.took {
			t.Errorf("%s: well %t, took %t", name, client.EndedWell(), client.Took())
		}
		client.Close()
	}
}

// cutting drops the last byte of each write, where it is asked to.
type cutting struct {
	io.Writer
	cut bool
}

func (c cutting) Write(p []byte) (int, error) {
	if c.cut {
		_, err := c.Writer.Write(p[:len(p)-1])
		return len(p), err
	}
	return c.Writer.Write(p)
}

func TestMaxStreamsIsWhatTheServerAnnounced(t *testing.T) {
	near, far := net.Pipe()
	client := NewClient(near)
	defer client.Close()
	if _, said := client.MaxStreams(); said {
		t.Error("said before anything came")
	}
	framer := http2.NewFramer(far, nil)
	read := make(chan error)
	go func() { _, err := io.Copy(io.Discard, client); read <- err }()
	framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14})
	if _, said := client.MaxStreams(); said {
		t.Error("another setting counts")
	}
	most := http2.SettingMaxConcurrentStreams
	framer.WriteSettings(http2.Setting{ID: most, Val: 7}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}, http2.Setting{ID: most, Val: 5})
	framer.WriteSettingsAck()
	if n, said := client.MaxStreams(); n != 5 || !said {
		t.Error(n, said)
	}
	framer.WriteSettings(http2.Setting{ID: most, Val: 0})
	framer.WriteSettingsAck()
	if n, said := client.MaxStreams(); n != 0 || !said {
		t.Error(n, said)
	}
	far.Close()
	<-read
}
