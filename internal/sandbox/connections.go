package sandbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// goodbye is how long a client that is being closed may take to read why.
const goodbye = time.Second

// conduct is how AVS treats connections as a whole: they may not be silent for
// long, they have a limited life, and a device has but one of them.
type conduct struct {
	faults     *faults.Set
	idle, life time.Duration
	one        bool

	mu      sync.Mutex
	guests  map[*frames.Conn]*guest
	devices map[string]*frames.Conn // by which connection each was heard last
}

// A guest is a connection that lives.
type guest struct {
	idle    *time.Timer
	leaving bool // takes no new streams
}

func newConduct(o Options) *conduct {
	lives := o.lifetimes()
	return &conduct{
		faults:  o.Faults,
		idle:    lives.idle,
		life:    lives.conn,
		one:     o.OneConnection,
		guests:  map[*frames.Conn]*guest{},
		devices: map[string]*frames.Conn{},
	}
}

// begin is told of each connection before its first byte.
func (k *conduct) begin(c *frames.Conn) {
	k.mu.Lock()
	k.guests[c] = &guest{idle: after(c, k.idle, func() { k.close(c, "The client was silent for too long.") })}
	k.mu.Unlock()
	after(c, k.life, func() { k.goAway(c, "The connection has lived long enough.") })
	for _, f := range k.faults.Strike(faults.Connection) {
		after(c, f.After, func() { k.inflict(c, f) })
	}
}

// heard is told of each frame from the client.
func (k *conduct) heard(c *frames.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.guests[c]; g != nil {
		g.idle.Reset(k.idle)
	}
}

// end is told of each connection after its last handler.
func (k *conduct) end(c *frames.Conn) {
	k.leave(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.guests, c)
}

// claim is told that a device has spoken on a connection. The one on which it
// spoke before is closed, unless that is on its way out: then its streams may
// finish.
func (k *conduct) claim(c *frames.Conn, device string) {
	if older := k.successor(c, device); older != nil {
		k.close(older, "The device has another connection.")
	}
}

// successor puts a connection in the place of an older one, which it returns. One
// that is leaving does not come back.
func (k *conduct) successor(c *frames.Conn, device string) (older *frames.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.guests[c]
	if !k.one || device == "" || g == nil || g.leaving {
		return nil
	}
	older = k.devices[device]
	k.devices[device] = c
	if older == c {
		return nil
	}
	return older
}

// leave takes a connection out of the running.
func (k *conduct) leave(c *frames.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.guests[c]; g != nil {
		g.leaving = true
	}
	for device, holder := range k.devices {
		if holder == c {
			delete(k.devices, device)
		}
	}
}

// goAway lets the streams of a connection finish.
func (k *conduct) goAway(c *frames.Conn, why string) {
	k.leave(c)
	c.GoAway(http2.ErrCodeNo, why)
}

// close says why and closes a connection with its streams. It waits for the
// client to read that, but not for long.
func (k *conduct) close(c *frames.Conn, why string) {
	cut := time.AfterFunc(goodbye, func() { c.Close(errors.New(why)) })
	defer cut.Stop()
	k.goAway(c, why)
	c.Flush()
	c.NetConn().Close()
}

// inflict strikes a connection with a fault.
func (k *conduct) inflict(c *frames.Conn, f faults.Fault) {
	switch {
	case f.Name == "stall-reads":
		c.StallReads(true)
	case f.Name == "stall-writes":
		c.StallWrites(true)
	case f.Value == "drop":
		k.leave(c)
		c.GoAwayLast(0, http2.ErrCodeNo, toldTo)
	default:
		k.goAway(c, toldTo)
	}
}

// after does something to a connection that still lives then.
func after(c *frames.Conn, d time.Duration, do func()) *time.Timer {
	timer := time.AfterFunc(d, do)
	context.AfterFunc(c.Context(), func() { timer.Stop() })
	return timer
}
