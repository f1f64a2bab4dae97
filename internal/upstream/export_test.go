package upstream

import (
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// What tests outside of the package, which see whole routes, need of its fake network.

const StaleAfter = staleAfter

type FakeNet = fakeNet

func NewFakeNet(t *testing.T, single bool) *FakeNet { return newFakeNet(t, single) }

func (u *Upstream) SpeakHTTP1() { u.http1.Store(true) }

func (f *fakeNet) Upstream() *Upstream                       { return f.upstream }
func (f *fakeNet) Allowing(streams uint32)                   { f.allowing(streams) }
func (f *fakeNet) Hold(t *testing.T) (giveUp func())         { return f.hold(t) }
func (f *fakeNet) Answer(answer func(*http2.Framer, uint32)) { f.answer = answer }
func (f *fakeNet) Keep(t *testing.T)                         { f.keep(t) }
func (f *fakeNet) SetDown(err error)                         { f.setDown(err) }
func (f *fakeNet) ClosePeer()                                { f.peers[0].Close() }
func (f *fakeNet) SilencePeer()                              { f.peers[0].dead.Store(true) }
func (f *fakeNet) InFlight() int                             { return f.links.open[0].session.InFlight() }
func (f *fakeNet) Tokens() []string                          { return f.tokens }
func (f *fakeNet) Came() []time.Time                         { return f.came }

// GoAway has the latest peer say goodbye, with nothing processed.
func (f *fakeNet) GoAway() { f.peers[len(f.peers)-1].says().WriteGoAway(0, http2.ErrCodeNo, nil) }

// DialAfter has each dial take a while; made is called after it.
func (f *fakeNet) DialAfter(d time.Duration, made func()) {
	f.links.dial = func(gone func(*pooledConn, error)) (*pooledConn, error) {
		time.Sleep(d)
		conn, err := f.dial(gone)
		made()
		return conn, err
	}
}
