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

// Options say how a sandbox behaves. The zero value behaves as Amazon does, with a user
// who consents to everything at once.
type Options struct {
	// LWA and AVS are the listeners of the two services; the sandbox closes them. Empty
	// means one listener on 127.0.0.1 and a free port. All must be on a loopback
	// address.
	LWA, AVS []net.Listener
	// TokenLife is how long AVS accepts an access token, and the value of expires_in (in
	// whole seconds, at least 1). 0 means an hour. TimeScale applies to it.
	TokenLife time.Duration
	// TimeScale is how many times faster than Amazon's the sandbox's time passes: with
	// 60, an hour takes a minute. It shortens all lifetimes and intervals, and their
	// announced values, but not TokenDelay and not the durations of faults. 0 means 1.
	// LWA announces whole seconds: the sandbox rounds a lifetime down and an interval up,
	// to at least 1.
	TimeScale float64
	// AskConsent makes the authorize page and the verification page of code pairs ask
	// with Allow and Cancel. Otherwise the user has consented already.
	AskConsent bool
	// Faults make the sandbox misbehave; they may change while it runs. Nil means a new
	// set, which [Sandbox.Faults] returns.
	Faults *faults.Set
	// MaxConcurrentStreams is AVS's limit for one connection; 0 means 100.
	MaxConcurrentStreams int
	// OneConnection makes AVS enforce its rule of one connection per device: if tokens of
	// one client and device serial number come over two connections, AVS closes the older
	// one with GOAWAY.
	OneConnection bool
	// IdleTimeout is how long a client may be silent on a connection to AVS; any frame
	// ends the silence, also PING. 0 means five minutes. ConnLife is how long AVS accepts
	// new streams on a connection before it sends GOAWAY; open streams may finish. 0 means
	// an hour. TimeScale applies to both.
	IdleTimeout, ConnLife time.Duration
	// HTTP1 makes AVS speak HTTP/1.1 and not offer h2. The options about connections and
	// streams have no effect then, and faults that strike connections after a while, such
	// as goaway@10s, do not strike.
	HTTP1 bool
	// TokenDelay delays the answers of the token endpoint, even if the caller hangs up, as
	// on a real server.
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

// scaled returns an option, or Amazon's duration if that is 0, in the sandbox's time.
func (o Options) scaled(option, amazon time.Duration) time.Duration {
	return max(1, time.Duration(float64(cmp.Or(option, amazon))/cmp.Or(o.TimeScale, 1)))
}

// lifetimeSeconds rounds down, as LWA announces a lifetime.
func lifetimeSeconds(d time.Duration) int { return max(1, int(d/time.Second)) }

// intervalSeconds rounds up, as LWA announces an interval.
func intervalSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
