package testkit

import (
	"io"

	"golang.org/x/net/http2"
)

// ServeEach is an upstream's end of a connection, frame by frame: each hears of every
// frame, and says what is to be said beyond what HTTP/2 demands of all servers. greet
// says the first SETTINGS; nil = they are empty.
func ServeEach(in io.Reader, framer *http2.Framer, greet func(), each func(http2.Frame)) {
	io.ReadFull(in, make([]byte, len(http2.ClientPreface)))
	if greet == nil {
		greet = func() { framer.WriteSettings() }
	}
	greet()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				framer.WritePing(true, frame.Data)
			}
		}
		each(frame)
	}
}

// ServeFrames answers one request after the other.
func ServeFrames(conn io.ReadWriter, answer func(framer *http2.Framer, stream uint32)) {
	framer := http2.NewFramer(conn, conn)
	ServeEach(conn, framer, nil, func(frame http2.Frame) {
		if head, ok := frame.(*http2.HeadersFrame); ok {
			answer(framer, head.StreamID)
		}
	})
}

// AnswerBegin says ":status: 200" of an answer that goes on.
func AnswerBegin(framer *http2.Framer, stream uint32) {
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true})
}

// NoContent says ":status: 204", which is all of an answer.
func NoContent(framer *http2.Framer, stream uint32) {
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x89}, EndHeaders: true, EndStream: true})
}
