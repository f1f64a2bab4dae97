package avsroute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

// DownchannelOptions say how a route's downchannel is kept.
type DownchannelOptions struct {
	// Origin is the upstream; a path in it is put before [avs.PathDirectives].
	Origin *url.URL
	// Send sends the request the way of all others, [Route.Send].
	Send func(*exchange.Exchange, *http.Request) (*http.Response, error)
	// Headers are set on the request.
	Headers map[string]string
	// Patience bounds how long a client waits for the channel to open. Zero = 10 s.
	Patience time.Duration
	// Opened, if set, runs after each opening, beside the reading; ctx ends with the
	// channel, which waits for it.
	Opened func(ctx context.Context)
	// Directive, if set, sees each directive, before the clients do. It must not wait.
	Directive func(avs.ReceivedDirective)
	// OnEvent, if set, hears what becomes of the channel. cause is nil for "opened".
	OnEvent func(news DownchannelEvent, cause error)
}

// DownchannelEvent is what becomes of a downchannel that is kept.
type DownchannelEvent string

const (
	DownchannelOpened DownchannelEvent = "opened" // anew, each time
	// DownchannelLost comes once for each outage, however many tries it takes.
	DownchannelLost DownchannelEvent = "lost"
	// DownchannelWaits is for a login that is needed.
	DownchannelWaits   DownchannelEvent = "waits"
	DownchannelSkipped DownchannelEvent = "skipped" // a part too large to pass on
)

const (
	partMost = 1 << 20 // bytes of a part that is passed on
	// openMost bounds the wait for the head of the answer. The service's own SDK gives
	// it as long.
	openMost = 60 * time.Second
)

var (
	errClosed    = errors.New("the proxy is closing")
	errNoChannel = errors.New("the upstream's downchannel is not multipart")
	errShort     = errors.New("the upstream ended the downchannel as soon as it had opened")
	errPartMost  = fmt.Errorf("a part is larger than %d bytes", partMost)
	errNotYet    = upstream.NotConnected(context.DeadlineExceeded) // nothing was sent for the client that waited
)

// A refusedError is an answer that is no downchannel.
type refusedError int

func (e refusedError) Error() string {
	return fmt.Sprintf("the upstream answered the downchannel with %d %s", int(e), http.StatusText(int(e)))
}

// Hint says what to do.
func (refusedError) Hint() string {
	return "try again; the answers to other requests tell more, such as GET /ping"
}

// A Downchannel holds a route's stream of directives open, through whatever ends
// it, and passes them on to any number of clients, who hear nothing of that.
type Downchannel struct {
	options DownchannelOptions
	clients broadcaster
	kicked  chan struct{}

	mu    sync.Mutex
	state channelState
}

// A channelState is how things stand. Whoever waits for a change waits for changed
// to be closed, and looks again.
type channelState struct {
	open    bool
	ended   bool
	failed  int   // how many tries
	failure error // the last one's; nil = it is open, or was not tried yet
	changed chan struct{}
}

// NewDownchannel returns a downchannel that is not open: Run opens it.
func NewDownchannel(options DownchannelOptions) *Downchannel {
	if options.Patience == 0 {
		options.Patience = upstream.DialTimeout
	}
	if options.OnEvent == nil {
		options.OnEvent = func(DownchannelEvent, error) {}
	}
	d := &Downchannel{options: options, kicked: make(chan struct{}, 1)}
	d.state.changed = make(chan struct{})
	d.clients.init()
	return d
}

// RetryNow tries again at once where a login is waited for: it may have been made.
func (d *Downchannel) RetryNow() {
	select {
	case d.kicked <- struct{}{}:
	default:
	}
}

// runOnce opens the channel and reads it to its end. opened is the zero time where it
// did not open.
func (d *Downchannel) runOnce(ctx context.Context) (opened time.Time, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leave := &drainer{end: cancel}
	resp, err := d.send(ctx, cancel, leave.ask)
	if err != nil {
		return opened, err
	}
	defer resp.Body.Close()
	scanner := avs.NewPartScanner(resp.Header.Get("Content-Type"), leave.watch(d.relay()))
	switch {
	case resp.StatusCode != http.StatusOK:
		return opened, refusedError(resp.StatusCode)
	case scanner == nil:
		return opened, errNoChannel
	}
	opened = time.Now()
	d.change(func(s *channelState) { s.open, s.failure = true, nil })
	defer d.change(func(s *channelState) { s.open = false })
	d.options.OnEvent(DownchannelOpened, nil)
	if d.options.Opened != nil {
		var running sync.WaitGroup
		running.Go(func() { d.options.Opened(ctx) })
		defer running.Wait()
		defer cancel()
	}
	_, err = io.Copy(scanner, resp.Body)
	return opened, leave.errorOf(err)
}

// send gives up where no head comes: the channel itself has no bound.
func (d *Downchannel) send(ctx context.Context, cancel context.CancelFunc, draining func()) (*http.Response, error) {
	patience := time.AfterFunc(openMost, cancel)
	x := exchange.New(nil, &exchange.Head{Method: http.MethodGet, Path: avs.PathDirectives})
	x.Draining = draining
	resp, err := d.options.Send(x, d.request(ctx))
	if patience.Stop() {
		return resp, err
	}
	if err == nil {
		resp.Body.Close()
	}
	return nil, errors.Join(context.DeadlineExceeded, err)
}

func (d *Downchannel) request(ctx context.Context) *http.Request {
	target := *d.options.Origin
	if target.Path == "" { // or JoinPath would make a relative one
		target.Path = "/"
	}
	header := http.Header{"User-Agent": {"avsproxy"}}
	for name, value := range d.options.Headers {
		header.Set(name, value)
	}
	return (&http.Request{Method: http.MethodGet, URL: target.JoinPath(avs.PathDirectives), Header: header}).WithContext(ctx)
}

// relay passes parts on as soon as they are whole. One that was cut goes nowhere,
// since no client could be told: the scanner is never closed, and so never ends it.
func (d *Downchannel) relay() avs.PartHandler {
	limit := func(avs.PartHead) int { return partMost }
	return avs.CollectParts(limit, func(part avs.CollectedPart) {
		if part.TooLarge {
			d.options.OnEvent(DownchannelSkipped, errPartMost)
			return
		}
		d.publish(part.PartHead, part.Body)
	})
}

func (d *Downchannel) publish(head avs.PartHead, body []byte) {
	part := &channelPart{frame: d.clients.framer.Frame(head, body)}
	if head.IsJSON() {
		begin := len(head.Raw) + len("\r\n")
		part.directive = parseDirective(part.frame[begin : begin+len(body)])
	}
	if part.directive != nil && d.options.Directive != nil {
		d.options.Directive(*part.directive)
	}
	d.clients.publish(part)
}

// parseDirective returns nil for what is none.
func parseDirective(text []byte) *avs.ReceivedDirective {
	directive, ok := avs.ParseDirective(text)
	if !ok {
		return nil
	}
	return &directive
}

func (d *Downchannel) change(f func(*channelState)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.state)
	close(d.state.changed)
	d.state.changed = make(chan struct{})
}

func (d *Downchannel) now() channelState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// isGraceful reports whether the service ended a channel in its usual way, as it
// does every hour: by its end, or by the end of its connection after GOAWAY.
func isGraceful(err error) bool { return err == nil || upstream.IsGoodbye(err) }

// Run keeps the channel open until ctx ends, and then ends its clients. It may be
// called once.
func (d *Downchannel) Run(ctx context.Context) {
	defer d.end()
	var pace, leaving pace
	var budget upstream.Budget
	told := false // of this outage
	for ctx.Err() == nil {
		if !upstream.Sleep(ctx, budget.Wait(time.Now()), nil) {
			return
		}
		opened, err := d.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		told = told && opened.IsZero()
		if err == errLeft {
			upstream.Sleep(ctx, leaving.afterLeaving(opened, time.Now()), nil)
			continue
		}
		if tokens.LoginNeeded(err) {
			d.fail(err, DownchannelWaits, !told)
			told = true
			upstream.Sleep(ctx, loginBeat, d.kicked)
			continue
		}
		budget.Spend(time.Now())
		pause := pace.after(opened, time.Now(), isGraceful(err))
		if pause > 0 {
			if err == nil {
				err = errShort
			}
			d.fail(err, DownchannelLost, !told)
			told = true
		}
		upstream.Sleep(ctx, pause, nil)
	}
}

// fail notes why the channel is not open. With tell it calls OnEvent.
func (d *Downchannel) fail(err error, news DownchannelEvent, tell bool) {
	d.change(func(s *channelState) { s.failed, s.failure = s.failed+1, err })
	if tell {
		d.options.OnEvent(news, upstream.Cause(err))
	}
}

// end wakes everybody who waits for the channel.
func (d *Downchannel) end() {
	d.change(func(s *channelState) { s.open, s.ended, s.failure = false, true, errClosed })
	d.clients.end()
}
