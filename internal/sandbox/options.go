package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// Options say how a sandbox behaves. The zero value is a faithful one, with a
// user who consents to everything at once.
type Options struct {
	// LWA and AVS are where the two services listen; the sandbox closes them.
	// Empty means one listener on 127.0.0.1 and a free port. A listener that is
	// not on a loopback address is refused.
	LWA, AVS []net.Listener
	// TokenLife is how long AVS accepts an access token, and what expires_in
	// says (in whole seconds, at least 1). 0 means an hour. It is scaled too.
	TokenLife time.Duration
	// TimeScale is how many times faster than Amazon's the sandbox's time passes:
	// with 60, an hour is over in a minute. It shortens all lifetimes and intervals,
	// and what is announced of them, but not TokenDelay and not the durations of
	// faults. 0 means 1. Whole seconds are all that LWA can announce: a lifetime is
	// rounded down and an interval up, but to no less than 1.
	TimeScale float64
	// AskConsent makes the authorize page and the verification page of code pairs
	// ask with Allow and Cancel. Otherwise the sandbox's user has agreed already.
	AskConsent bool
	// Faults make the sandbox misbehave; they may be changed while it runs. Nil
	// means a set of its own, which [Sandbox.Faults] returns.
	Faults *faults.Set
	// MaxConcurrentStreams is what AVS allows on one connection; 0 means 100.
	MaxConcurrentStreams int
	// OneConnection makes AVS keep its rule of one connection per device: when the
	// tokens of one client and device serial number come over two, the one that was
	// heard first gets GOAWAY and is closed.
	OneConnection bool
	// IdleTimeout is how long a client may be silent on a connection to AVS: any
	// frame from it counts, PING as well as a request. 0 means five minutes.
	// ConnLife is how long AVS takes new streams on a connection before it sends
	// GOAWAY; those that are open may finish. 0 means an hour. Both are scaled too.
	IdleTimeout, ConnLife time.Duration
	// HTTP1 makes AVS speak HTTP/1.1 and not offer h2. What is said here of
	// connections and streams does not hold then, and faults that strike connections
	// after a while, such as goaway@10s, do not strike.
	HTTP1 bool
	// TokenDelay is how long the token endpoint thinks before it answers. It
	// goes on thinking when the caller hangs up, as a real server would.
	TokenDelay time.Duration
}

func (o Options) check() error {
	if min(o.TokenLife, o.TokenDelay, o.IdleTimeout, o.ConnLife) < 0 || o.MaxConcurrentStreams < 0 {
		return errors.New("the sandbox's durations and limits may not be negative")
	}
	if !(o.TimeScale >= 0) || math.IsInf(o.TimeScale, 0) {
		return fmt.Errorf("the sandbox's time scale must be a positive number, such as 60 for an hour in a minute, not %v", o.TimeScale)
	}
	for _, l := range slices.Concat(o.LWA, o.AVS) {
		address, ok := l.Addr().(*net.TCPAddr)
		if !ok || !address.IP.IsLoopback() {
			return fmt.Errorf("the sandbox listens on loopback only, not on %s", l.Addr())
		}
	}
	return nil
}

// lifetimes are Amazon's, in the sandbox's time.
type lifetimes struct {
	token    time.Duration // of access tokens
	code     time.Duration // of authorization codes
	pair     time.Duration // of code pairs
	interval time.Duration // between polls for a code pair
	page     time.Duration // of a form that asks for consent
	conn     time.Duration // of connections to AVS
	idle     time.Duration // of silence on them
}

func (o Options) lifetimes() lifetimes {
	scaled := func(d time.Duration) time.Duration {
		return max(1, time.Duration(float64(d)/cmp.Or(o.TimeScale, 1)))
	}
	return lifetimes{
		token:    scaled(cmp.Or(o.TokenLife, time.Hour)),
		code:     scaled(5 * time.Minute),
		pair:     scaled(10 * time.Minute),
		interval: scaled(30 * time.Second),
		page:     scaled(10 * time.Minute),
		conn:     scaled(cmp.Or(o.ConnLife, time.Hour)),
		idle:     scaled(cmp.Or(o.IdleTimeout, 5*time.Minute)),
	}
}

// life states a lifetime as LWA does: in whole seconds, and rather too few.
func life(d time.Duration) int { return max(1, int(d/time.Second)) }

// pauseOf states an interval in whole seconds, and rather too many.
func pauseOf(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
