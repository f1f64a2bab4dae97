package capture

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"avsproxy/internal/redact"
)

// Defaults of Options.
const (
	defaultBody  = 64 << 10
	defaultTotal = 32 << 20
)

// A Recorder records exchanges. A nil Recorder records nothing. Locks are taken in the
// order Recorder, Exchange, watchers.
type Recorder struct {
	options Options
	secrets *redact.Live
	watch   watchers
	paused  atomic.Bool
	used    atomic.Int64 // bytes of all exchanges
	dropped atomic.Uint64

	mu   sync.Mutex
	last uint64
	all  map[uint64]*Exchange
	// floor is what was in use when nothing more could be dropped; 0 if something can.
	floor int64
	// ended are the exchanges that can be evicted, in the order of their ends.
	ended []*Exchange
}

// New returns a Recorder that records.
func New(options Options) *Recorder {
	options.Body = min(cmp.Or(options.Body, defaultBody), math.MaxInt) // so that it fits an int of 32 bits
	options.Total = cmp.Or(options.Total, defaultTotal)
	return &Recorder{options: options, secrets: redact.NewLive(options.Secrets), all: map[uint64]*Exchange{}}
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
	r.makeRoom()
	return e
}

// SecretsChanged says that [Options.Secrets] has changed. It rebuilds the patterns now,
// so that active bodies use them immediately and the next request does not wait for
// them.
func (r *Recorder) SecretsChanged() {
	if r != nil {
		r.secrets.Now()
	}
}

// Pause stops or resumes the recording of new exchanges. Active ones are recorded to
// their end.
func (r *Recorder) Pause(paused bool) {
	r.paused.Store(paused)
	r.watch.publish(Event{Kind: KindPaused, Paused: paused})
}

// Paused reports whether new exchanges are ignored.
func (r *Recorder) Paused() bool { return r.paused.Load() }

// Dropped returns how many exchanges were evicted.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// List returns all recorded exchanges, oldest first.
func (r *Recorder) List() []Summary {
	list := slices.Collect(r.Newest())
	slices.Reverse(list)
	return list
}

// Newest yields the exchanges, newest first. A caller that needs only a few can stop.
func (r *Recorder) Newest() iter.Seq[Summary] {
	return func(yield func(Summary) bool) {
		for _, e := range slices.Backward(r.snapshot()) {
			if !yield(e.summary()) {
				return
			}
		}
	}
}

// Get returns a copy of an exchange, which may still be active.
func (r *Recorder) Get(id uint64) (Record, bool) {
	r.mu.Lock()
	e := r.all[id]
	r.mu.Unlock()
	if e == nil {
		return Record{}, false
	}
	return e.record(), true
}

// Clear removes all exchanges that have ended. The active ones are sent to the watchers
// again, after the event that clears their list.
func (r *Recorder) Clear() {
	r.mu.Lock()
	for len(r.ended) > 0 {
		r.evictOldest()
	}
	r.mu.Unlock()
	r.watch.publish(Event{Kind: KindCleared})
	for _, e := range r.snapshot() {
		e.mu.Lock()
		e.publish()
		e.mu.Unlock()
	}
}

// snapshot returns the exchanges, oldest first.
func (r *Recorder) snapshot() []*Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sorted()
}

// sorted is snapshot for a caller that holds mu.
func (r *Recorder) sorted() []*Exchange {
	return slices.SortedFunc(maps.Values(r.all), func(a, b *Exchange) int { return cmp.Compare(a.id, b.id) })
}
