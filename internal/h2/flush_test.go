package h2

import (
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"avsproxy/internal/netconn"
	"avsproxy/internal/testkit"
)

// A narrowConn takes as it likes, without waiting, all, some or nothing of what it is given.
type narrowConn struct {
	net.Conn
	rand        *rand.Rand
	whole, full atomic.Int64 // writes without waiting
}

// WriteNow is for [netconn.WriteNowOf].
func (c *narrowConn) WriteNow() netconn.WriteNow {
	now := netconn.WriteNowOf(c.Conn)
	return func(p []byte) (n int, err error) {
		room := c.rand.IntN(2 * len(p))
		if room >= len(p) {
			c.whole.Add(1)
			return now(p)
		}
		c.full.Add(1)
		if room > 0 {
			n, err = now(p[:room])
		}
		if err == nil {
			err = netconn.ErrFull
		}
		return n, err
	}
}

// What has no room at once goes out behind it, in its order, on both sides of a relay.
func TestConnectionsWithoutRoom(t *testing.T) {
	var group Group
	to := testkit.Dial(t, serveH2(t, http.HandlerFunc(echo), Config{}))
	up := &narrowConn{Conn: to, rand: rand.New(rand.NewPCG(1, 1))}
	upstream := group.Client(up, Config{})
	var serving sync.WaitGroup
	serving.Go(func() { upstream.Serve() })
	<-upstream.Settled()
	ln := testkit.Listen(t)
	downs := make(chan *narrowConn, 100)
	serving.Go(func() {
		for seed := uint64(2); ; seed++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			down := &narrowConn{Conn: conn, rand: rand.New(rand.NewPCG(seed, 1))}
			downs <- down
			accept := func(st *Stream, h *Head, fin bool) {
				r := new(Relay)
				st.Relay(r, fin, &loggingTap{failed: func(*ResetError) {}})
				fields := append(Fields{{Name: ":method", Value: h.Method}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "u"}, {Name: ":path", Value: h.Path}}, h.Fields...)
				if err := r.Start(upstream, fields, fin, false); err != nil {
					t.Error(err)
				}
			}
			serving.Go(func() { group.Server(down, Config{Accept: accept}).Serve() })
		}
	})
	client := goClient(t)
	exchange(t, client.Do, "http://"+ln.Addr().String())
	for range 100 { // small ones are written at once
		testkit.Body(t, testkit.Must(client.Get("http://"+ln.Addr().String()))(t))
	}
	client.CloseIdleConnections()
	ln.Close()
	upstream.Close()
	serving.Wait()
	close(downs)
	whole, full := up.whole.Load(), up.full.Load()
	for down := range downs {
		whole, full = whole+down.whole.Load(), full+down.full.Load()
	}
	if whole < 100 || full < 50 {
		t.Errorf("%d writes were whole, %d were not", whole, full)
	}
}

// A panic of the writer becomes one of Serve, as a panic of the reader is.
func TestPanicsOfTheWriter(t *testing.T) {
	server, client := tcpPair(t)
	defer client.Close()
	s := new(Group).Server(server, Config{})
	s.framing = faultyFraming{s.framing}
	told := make(chan any)
	go func() {
		defer func() { told <- recover() }()
		s.Serve()
	}()
	s.group.Locked(func() {
		st := s.newStream(1, 0)
		st.SetEnd(&flowEnd{})
		st.SendHead([]Field{{Name: ":status", Value: "200"}}, false)
		s.window = 0
		st.SendData([]byte("a"), false)
		s.window = 1
		s.touch()
	})
	if fault := <-told; fault == nil {
		t.Error("nobody heard of it")
	}
}

type faultyFraming struct{ Framing }

func (faultyFraming) AppendData([]byte, *Stream, []byte, bool) []byte { panic("a fault") }
