package sandbox

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// closeTimeout is how long a client may take to read why its connection is closed.
const closeTimeout = time.Second

// connections applies AVS's rules for HTTP/2 connections: a limited idle time, a
// limited lifetime, and one connection for each device.
type connections struct {
	faults         *faults.Set
	idle, lifetime time.Duration
	onePerDevice   bool

	mu      sync.Mutex
	open    map[*frames.Conn]*connection
	devices map[string]*frames.Conn // the connection of each device's last request
}

type connection struct {
	idle    *time.Timer
	closing bool // takes no new streams
}

func newConnections(o Options) *connections {
	return &connections{
		faults:       o.Faults,
		idle:         o.scaled(o.IdleTimeout, 5*time.Minute),
		lifetime:     o.scaled(o.ConnLife, time.Hour),
		onePerDevice: o.OneConnection,
		open:         map[*frames.Conn]*connection{},
		devices:      map[string]*frames.Conn{},
	}
}

// start is called for each connection before its first byte.
func (k *connections) start(c *frames.Conn) {
	k.mu.Lock()
	k.open[c] = &connection{idle: after(c, k.idle, func() { k.close(c, "The client was silent for too long.") })}
	k.mu.Unlock()
	after(c, k.lifetime, func() { k.goAway(c, "The connection has lived long enough.") })
	for _, f := range k.faults.Strike(faults.Connection) {
		after(c, f.After, func() { k.applyFault(c, f) })
	}
}

// active is called for each frame from the client.
func (k *connections) active(c *frames.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if conn := k.open[c]; conn != nil {
		conn.idle.Reset(k.idle)
	}
}

// end is called for each connection after its last handler.
func (k *connections) end(c *frames.Conn) {
	k.setClosing(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, c)
}

// request records a request of a device, and closes the connection of the device's
// previous request if it is another one. A connection that is already closing stays:
// its streams may finish.
func (k *connections) request(c *frames.Conn, device string) {
	if previous := k.moveDevice(c, device); previous != nil && previous != c {
		k.close(previous, "The device has another connection.")
	}
}

func (k *connections) moveDevice(c *frames.Conn, device string) (previous *frames.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	conn := k.open[c]
	if !k.onePerDevice || device == "" || conn == nil || conn.closing {
		return nil
	}
	previous = k.devices[device]
	k.devices[device] = c
	return previous
}

// setClosing excludes a connection from the rule of one connection for each device.
func (k *connections) setClosing(c *frames.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if conn := k.open[c]; conn != nil {
		conn.closing = true
	}
	maps.DeleteFunc(k.devices, func(_ string, holder *frames.Conn) bool { return holder == c })
}

// goAway lets the open streams finish.
func (k *connections) goAway(c *frames.Conn, reason string) {
	k.setClosing(c)
	c.GoAway(http2.ErrCodeNo, reason)
}

// close closes a connection and its streams. It sends the reason first, and gives
// the client a short time to read it.
func (k *connections) close(c *frames.Conn, reason string) {
	cut := time.AfterFunc(closeTimeout, func() { c.Close(errors.New(reason)) })
	defer cut.Stop()
	k.goAway(c, reason)
	c.Flush()
	c.NetConn().Close()
}

func (k *connections) applyFault(c *frames.Conn, f faults.Fault) {
	switch {
	case f.Name == "stall-reads":
		c.StallReads(true)
	case f.Name == "stall-writes":
		c.StallWrites(true)
	case f.Value == "drop":
		k.setClosing(c)
		c.GoAwayLast(0, http2.ErrCodeNo, faultReason)
	default:
		k.goAway(c, faultReason)
	}
}

// after calls do after a duration, unless the connection has ended by then.
func after(c *frames.Conn, d time.Duration, do func()) *time.Timer {
	timer := time.AfterFunc(d, do)
	context.AfterFunc(c.Context(), func() { timer.Stop() })
	return timer
}
