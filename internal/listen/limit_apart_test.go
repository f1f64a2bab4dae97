package listen

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/netconn"
	"avsproxy/internal/peer"
	"avsproxy/internal/testkit"
)

// nobodysUsers lets nobody in whom it does not know, and knows nobody.
var nobodysUsers = &peer.Users{UIDs: []int{-1}}

func TestOthersHavePlacesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int64
		limit := NewLimit(1)
		limit.Apart(nobodysUsers, 2, func() { closed.Add(1) })
		below := testkit.NewPipeListener() // of whose ends nothing is known
		conns := accepting(limit.Listener(below))
		defer below.Close()
		first, _ := below.Dial(), below.Dial()
		one, two := <-conns, <-conns
		third := below.Dial()
		_, err := third.Read(make([]byte, 1))
		synctest.Wait() // the close comes before the count
		if err != io.EOF || closed.Load() != 1 {
			t.Errorf("the third got %v; %d were closed", err, closed.Load())
		}
		one.Close()
		fourth := below.Dial()
		again := <-conns
		ours, theirs := net.Pipe()
		counted, ok := limit.Count(theirs)
		if !ok {
			t.Error("others hold the place of a user")
		}
		for _, conn := range []net.Conn{two, again, counted, ours, first, fourth} {
			conn.Close()
		}
	})
}

func TestIdleConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := NewLimit(2)
		below := testkit.NewPipeListener()
		ln := limit.Listener(below)
		conns := accepting(ln)
		idle, busy := below.Dial(), below.Dial()
		first, second := <-conns, <-conns
		SetIdle(netconn.Prepend(first, []byte("x")), true) // as servers wrap it
		SetIdle(second, true)
		SetIdle(second, false)
		next := below.Dial()
		began := time.Now()
		third := <-conns
		if took := time.Since(began); took < minWait || took > 3*minWait {
			t.Errorf("there was room after %v", took)
		}
		if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the idle one is open: %v", err)
		}
		if _, ok := limit.Count(busy); ok {
			t.Error("there is one too many")
		}
		SetIdle(third, true)
		time.Sleep(minWait)
		one, ok := limit.Count(busy)
		if !ok {
			t.Error("an idle one made no room")
		}
		for _, conn := range []net.Conn{first, second, third, one, next} {
			conn.Close()
		}
		ln.Close()
	})
}
