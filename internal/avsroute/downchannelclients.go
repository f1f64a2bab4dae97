package avsroute

import (
	"context"
	"errors"
	"net/http"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/exchange"
	"avsproxy/tokens"
)

// Answer implements [Answerer]: it answers requests for the downchannel from the one that
// is kept. A client gets every part from then on, each in one write, as the
// service frames them. Its stream never ends well: it is cut when the client reads
// too slowly, or the proxy ends.
func (d *Downchannel) Answer(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) error {
	err := d.ready(r.Context())
	if err == nil {
		reason := d.serveClient(w, r)
		x.Note(func(f *exchange.Facts) { f.Fault = reason })
	}
	if err == nil || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	return err
}

// Subscribe returns the directives from now on, whether the channel is open or not.
// The Go channel is closed when ctx ends, when the reader is too slow, or when the
// downchannel ends.
func (d *Downchannel) Subscribe(ctx context.Context) <-chan avs.ReceivedDirective {
	ctx, client := d.clients.join(ctx)
	directives := make(chan avs.ReceivedDirective)
	go func() {
		defer close(directives)
		defer d.clients.leave(client)
		for {
			part, err := client.next(ctx)
			if err != nil {
				return
			}
			if part.directive == nil {
				continue
			}
			select {
			case directives <- *part.directive:
			case <-ctx.Done():
				return
			}
		}
	}()
	return directives
}

// ready waits for the channel to be open. A login that is needed is no reason to
// wait: it is looked for once more, and then said.
func (d *Downchannel) ready(ctx context.Context) error {
	state := d.now()
	failed := state.failed
	if !state.open {
		d.RetryNow()
	}
	patience := time.NewTimer(d.options.Patience)
	defer patience.Stop()
	for ; !state.open; state = d.now() {
		if state.ended || state.failed > failed && tokens.LoginNeeded(state.failure) {
			return state.failure
		}
		select {
		case <-state.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			if state.failure == nil {
				return errNotYet
			}
			return state.failure
		}
	}
	return nil
}

// serveClient writes to a client until it is cut off, and says why; nil = the client left.
func (d *Downchannel) serveClient(w http.ResponseWriter, r *http.Request) error {
	ctx, client := d.clients.join(r.Context())
	defer d.clients.leave(client)
	control := http.NewResponseController(w)
	defer interruptWrite(ctx, control)()
	w.Header().Set("Content-Type", d.clients.framer.DownchannelType())
	write := func(frame []byte) error {
		_, err := w.Write(frame)
		return errors.Join(err, control.Flush())
	}
	err := write(d.clients.framer.OpenLine())
	for err == nil {
		var part *channelPart
		if part, err = client.next(ctx); err == nil {
			err = write(part.frame)
		}
	}
	if reason := context.Cause(ctx); reason != context.Canceled {
		return reason
	}
	return nil
}

// interruptWrite ends a write that waits for the client when ctx ends. What it returns
// must be called before the handler returns, and waits for what is under way.
func interruptWrite(ctx context.Context, control *http.ResponseController) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = control.SetWriteDeadline(time.Now()) // not every writer has deadlines: then the client's own end must do
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}
