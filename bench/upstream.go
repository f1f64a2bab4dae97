package main

import (
	"crypto/tls"
	"errors"
	"log"
	"net"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/h2"
)

// The upstream of all proxies is lean, so that it is not what is measured: TLS, HTTP/2, one
// answer for each path.
//
//	/small        13 bytes
//	/body         takes the request's body, answers with 32 KiB
//	/bytes/N      answers with N bytes
//	/slow         a part of a multipart body each 200 ms, five times
//	/downchannel  nothing, for ever, behind the head
func serveUpstream(address string, conf *tls.Config) error {
	ln, err := tls.Listen("tcp", address, conf)
	if err != nil {
		return err
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			secure := conn.(*tls.Conn)
			if err := secure.Handshake(); err != nil {
				return
			}
			err := new(h2.Group).Server(secure, h2.Config{Accept: answer, MaxStreams: 1000}).Serve()
			if err != nil && !errors.Is(err, net.ErrClosed) {
				log.Printf("upstream: %v", err)
			}
		}()
	}
}

const (
	part      = "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n"
	partPause = 200 * time.Millisecond
)

var (
	plainType  = h2.Field{Name: "content-type", Value: "text/plain"}
	statusOK   = h2.Field{Name: ":status", Value: "200"}
	small      = []byte("hello, world\n")
	smallHead  = []h2.Field{statusOK, plainType, {Name: "content-length", Value: strconv.Itoa(len(small))}}
	openHead   = []h2.Field{statusOK, plainType}
	partsHead  = []h2.Field{statusOK, {Name: "content-type", Value: "multipart/related; boundary=b"}}
	piece      = make([]byte, 16<<10)
	bodyAnswer = 32 << 10
)

// answer takes a request; the group's lock is held.
func answer(st *h2.Stream, head *h2.Head, fin bool) {
	switch path := head.Path; {
	case path == "/small":
		st.SetEnd(sink{st, nil})
		st.SendHead(smallHead, false)
		st.SendData(small, true)
	case path == "/body":
		st.SetEnd(sink{st, func() { sendBytes(st, int64(bodyAnswer)) }})
		if fin {
			sendBytes(st, int64(bodyAnswer))
		}
	case path == "/slow":
		st.SetEnd(sink{st, nil})
		st.SendHead(partsHead, false)
		sendParts(st, 5)
	case path == "/downchannel":
		st.SetEnd(sink{st, nil})
		st.SendHead(partsHead, false)
	case strings.HasPrefix(path, "/bytes/"):
		n, _ := strconv.ParseInt(path[len("/bytes/"):], 10, 64)
		st.SetEnd(sink{st, nil})
		sendBytes(st, n)
	default:
		st.SetEnd(sink{st, nil})
		st.SendHead([]h2.Field{{Name: ":status", Value: "404"}}, true)
	}
}

func sendParts(st *h2.Stream, n int) {
	st.SendData([]byte(part), n == 1)
	if n > 1 {
		time.AfterFunc(partPause, func() { st.Locked(func() { sendParts(st, n-1) }) })
	}
}

// sendBytes sends a head and n bytes, as fast as they leave.
func sendBytes(st *h2.Stream, n int64) {
	st.SendHead(openHead, false)
	s := &source{st: st, left: n}
	st.SetSource(s)
	s.Credit(0)
}

type source struct {
	st   *h2.Stream
	left int64
}

// Credit implements [h2.Source].
func (s *source) Credit(int) {
	for s.left > 0 && s.st.Queued() < 256<<10 {
		n := min(s.left, int64(len(piece)))
		s.left -= n
		s.st.SendData(piece[:n], s.left == 0)
	}
}

// A sink takes a request's body.
type sink struct {
	st   *h2.Stream
	then func() // nil = nothing
}

func (s sink) Head(*h2.Head, bool) {}

func (s sink) Data(p []byte, fin bool) {
	s.st.Credit(len(p))
	if fin && s.then != nil {
		s.then()
	}
}

func (s sink) Trailer([]h2.Field) {
	if s.then != nil {
		s.then()
	}
}

func (s sink) Reset(*h2.ResetError) {}
