package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"time"
)

// serveOld is the upstream over HTTP/1.1.
func serveOld(address string, conf *tls.Config) error {
	server := &http.Server{Addr: address, TLSConfig: conf, Handler: http.HandlerFunc(answerOld), TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	return server.ListenAndServeTLS("", "")
}

func answerOld(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	switch path := r.URL.Path; {
	case path == "/small":
		_, _ = w.Write(small)
	case path == "/body":
		_, _ = io.Copy(io.Discard, r.Body)
		writeBytes(w, int64(bodyAnswer))
	case path == "/slow":
		w.Header().Set("Content-Type", "multipart/related; boundary=b")
		for range 5 {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
			time.Sleep(partPause)
		}
	case path == "/downchannel":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		n, _ := strconv.ParseInt(r.URL.Path[len("/bytes/"):], 10, 64)
		writeBytes(w, n)
	}
}

func writeBytes(w http.ResponseWriter, n int64) {
	for n > 0 {
		size := min(n, int64(len(piece)))
		if _, err := w.Write(piece[:size]); err != nil {
			return
		}
		n -= size
	}
}
