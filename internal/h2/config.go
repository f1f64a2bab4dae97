package h2

import "time"

// Config is how a session behaves. Zero values are those of the comments.
type Config struct {
	// Accept takes a request that came in, of a server; see [Acceptor].
	Accept Acceptor
	// MaxStreams is how many requests a client may have under way. Zero = 250.
	MaxStreams uint32
	// MaxHeader bounds a block of fields, in the bytes of RFC 9113 section 6.5.2. Zero = 64 KiB.
	MaxHeader int
	// ExtendedConnect tells clients that they may use RFC 8441.
	ExtendedConnect bool
	// Refuse answers a request that cannot be taken, such as [ErrHeadTooLarge]. Nil = 431.
	Refuse func(st *Stream, why error)
	// FirstTimeout bounds the wait for the other side's SETTINGS. Zero = 10 s.
	FirstTimeout time.Duration
	// PrefaceRead = the client's preface has been read.
	PrefaceRead bool
	// IdleTimeout bounds how long a connection stays open with no request under way. Zero =
	// for ever.
	IdleTimeout time.Duration
	// Idle hears, with the group's lock held, whether a connection has no request under way;
	// nil = nobody does.
	Idle func(idle bool)
	// PeerGone reports whether the other side is gone for good that sends nothing more; nil =
	// that is not known.
	PeerGone func() bool
	// StateChanged hears, with the group's lock held, that streams or settings have changed;
	// nil = nobody does.
	StateChanged func(*Session)
}

// An Acceptor decides what becomes of a request. It is called with the group's lock held and
// must not wait. It may send on the stream at once, and has to give it an end
// ([Stream.SetEnd]) where something can come in on it still. fin = nothing can.
type Acceptor func(st *Stream, h *Head, fin bool)

const (
	defaultStreams = 250
	defaultHeader  = 64 << 10
	firstTimeout   = 10 * time.Second
	maxTable       = 4 << 10 // of HPACK, either way
	drainTime      = 200 * time.Millisecond
)

func (c *Config) stateChanged(s *Session) {
	if c.StateChanged != nil {
		c.StateChanged(s)
	}
}
