package capture

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// What the zero Options mean.
const (
	defaultBody  = 64 << 10
	defaultTotal = 32 << 20
)

// A Recorder remembers exchanges. A nil one records nothing. Locks are taken in
// the order Recorder, Exchange, watchers.
type Recorder struct {
	options Options
	secrets secrets
	watch   watchers
	paused  atomic.Bool
	used    atomic.Int64 // bytes that all exchanges take
	dropped atomic.Uint64
	spare   slabs
	shelf   shelf

	mu   sync.Mutex
	last uint64
	all  map[uint64]*Exchange
	// floor is what was left in use when there was nothing more to take; 0 = there is.
	floor int64
	// ended is the queue of those that may go, in the order in which they ended.
	ended, youngest *Exchange
}

// New returns a Recorder that records.
func New(options Options) *Recorder {
	options.Body = min(cmp.Or(options.Body, defaultBody), math.MaxInt) // what int holds, of 32 bits too
	options.Total = cmp.Or(options.Total, defaultTotal)
	return &Recorder{options: options, secrets: secrets{live: options.Secrets}, all: map[uint64]*Exchange{}}
}

// Begin starts to record an exchange. It returns nil, whose methods do nothing,
// while the recorder is paused, and if r is nil. The exchange is active until its
// End.
func (r *Recorder) Begin(request Request) *Exchange {
	if r == nil || r.paused.Load() {
		return nil
	}
	e := newExchange(r, request)
	r.mu.Lock()
	r.last++
	e.id = r.last
	r.all[e.id] = e
	r.mu.Unlock()
	e.mu.Lock()
	e.publish()
	e.mu.Unlock()
	r.fit()
	return e
}

// SecretsChanged says that [Options.Secrets] answers otherwise now. It prepares for
// that what looks for them, so that neither bodies under way wait for a second to hear
// of it, nor the next request for the preparation.
func (r *Recorder) SecretsChanged() {
	if r != nil {
		r.secrets.now()
	}
}

// Pause stops, or starts again, the recording of new exchanges. Those under way
// are recorded to their end.
func (r *Recorder) Pause(paused bool) {
	r.paused.Store(paused)
	r.watch.publish(Event{Kind: KindPaused, Paused: paused})
}

// Paused reports whether new exchanges are passed over.
func (r *Recorder) Paused() bool { return r.paused.Load() }

// Dropped returns how many exchanges had to make room for younger ones.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// List returns the exchanges that are remembered, oldest first.
func (r *Recorder) List() []Summary {
	all := r.snapshot()
	list := make([]Summary, len(all))
	for i, e := range all {
		list[i] = e.summary()
	}
	return list
}

// Newest yields them one by one, the newest first: for who looks at a few of many.
func (r *Recorder) Newest() iter.Seq[Summary] {
	return func(yield func(Summary) bool) {
		for _, e := range slices.Backward(r.snapshot()) {
			if !yield(e.summary()) {
				return
			}
		}
	}
}

// Get returns a copy of one exchange, as far as it went.
func (r *Recorder) Get(id uint64) (Record, bool) {
	r.mu.Lock()
	e := r.all[id]
	r.mu.Unlock()
	if e == nil {
		return Record{}, false
	}
	return e.record(), true
}

// Clear forgets all exchanges that have ended. Those under way stay, and watchers
// are told of them once more, behind the event that clears their list.
func (r *Recorder) Clear() {
	r.mu.Lock()
	for r.ended != nil {
		r.forgetOldest()
	}
	r.mu.Unlock()
	r.watch.publish(Event{Kind: KindCleared})
	for _, e := range r.snapshot() {
		e.mu.Lock()
		e.publish()
		e.mu.Unlock()
	}
}

func (r *Recorder) snapshot() []*Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Exchange, 0, len(r.all))
	for _, e := range r.all {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Exchange) int { return cmp.Compare(a.id, b.id) })
	return all
}
