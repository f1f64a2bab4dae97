package frames

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzServeConn lets a client say anything after its preface: the server must
// neither panic nor stay.
func FuzzServeConn(f *testing.F) {
	f.Add(conversation(func(*http2.Framer, []byte) {}))
	f.Add(conversation(func(w *http2.Framer, block []byte) {
		w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
		w.WriteData(1, false, []byte("body"))
		w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0, 1, 'a', 1, 'b'}, EndHeaders: true, EndStream: true})
	}))
	f.Add(conversation(func(w *http2.Framer, block []byte) {
		w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:1]})
		w.WriteContinuation(1, true, block[1:])
		w.WriteDataPadded(1, true, []byte("body"), make([]byte, 10))
		w.WriteWindowUpdate(1, 10)
		w.WritePing(false, [8]byte{})
		w.WriteRSTStream(1, http2.ErrCodeCancel)
		w.WriteGoAway(1, http2.ErrCodeNo, nil)
	}))
	server := &Server{MaxConcurrentStreams: 3, Handler: HTTP(http.HandlerFunc(echo))}
	f.Fuzz(func(t *testing.T, said []byte) {
		hangs := time.AfterFunc(patience, func() { panic("the server hangs") })
		defer hangs.Stop()
		client, end := net.Pipe()
		heard, served := make(chan bool), make(chan bool)
		go func() { defer close(served); server.ServeConn(t.Context(), end) }()
		go func() { defer close(heard); io.Copy(io.Discard, client) }()
		client.Write(append([]byte(http2.ClientPreface), said...))
		client.Close()
		<-served
		<-heard
	})
}

func conversation(speak func(w *http2.Framer, block []byte)) []byte {
	var said, block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":path", "/"}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	w := http2.NewFramer(&said, nil)
	w.WriteSettings()
	speak(w, block.Bytes())
	return said.Bytes()
}
