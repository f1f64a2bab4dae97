package capture

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"avsproxy/internal/exchange"
	"avsproxy/internal/redact"
)

// Defaults of Options.
const (
	defaultBody  = 64 << 10
	defaultTotal = 32 << 20
)

// A Recorder records exchanges. A nil Recorder records nothing. Exchanges are written into a
// journal, which costs next to nothing; what is shown of them is read from there later. Locks
// are taken in the order reader, Recorder, recording, watchers; journal is taken last.
type Recorder struct {
	options Options
	budget  int64 // of all recordings
	secrets *redact.Live
	watch   watchers
	paused  atomic.Bool
	last    atomic.Uint64
	journal journal
	reader  reader
	used    atomic.Int64 // bytes of all recordings
	dropped atomic.Uint64

	mu  sync.Mutex
	all map[uint64]*recording
	// floor is what was in use when nothing more could be dropped; 0 if something can.
	floor int64
	// ended are the exchanges that can be evicted, in the order of their ends.
	ended []*recording
}

// New returns a Recorder that records.
func New(options Options) *Recorder {
	options.Body = min(cmp.Or(options.Body, defaultBody), math.MaxInt) // so that it fits an int of 32 bits
	options.Total = cmp.Or(options.Total, defaultTotal)
	r := &Recorder{options: options, budget: options.Total, secrets: redact.NewLive(options.Secrets), all: map[uint64]*recording{}}
	r.secrets.Now() // so that the first ones are known when they have changed
	r.journal.c.wide = true
	r.journal.size = int(min(max(options.Total/4, minJournal), maxJournal))
	if options.Total >= 4*minJournal {
		r.budget -= int64(r.journal.size)
	}
	return r
}

// Begin starts to record an exchange. It returns nil, whose methods do nothing,
// while the recorder is paused, and if r is nil. The exchange is active until its
// End.
func (r *Recorder) Begin(request Request) *Exchange {
	return r.BeginWith(request, fieldList(request.Header), nil)
}

// BeginWith is Begin with the fields of a head as its engine has them. cache is for heads that
// are the same but for what codeOwn visits; nil = none are known.
func (r *Recorder) BeginWith(request Request, header exchange.FieldList, cache *exchange.HeadCache) *Exchange {
	if r == nil || r.paused.Load() {
		return nil
	}
	e := &Exchange{r: r, id: r.last.Add(1), room: [2]int64{max(r.options.Body, 0), max(r.options.Body, 0)}}
	if len(request.Method)+len(request.Target)+len(request.Host) > maxHeadBytes/2 {
		request.bound(r.secrets.Now())
		cache = nil
	}
	c := e.begin(entryBegin)
	codeOwn(c, &request)
	if cache != nil && cache.Recorded != nil {
		c.out = append(c.out, cache.Recorded...)
		e.timed[0] = cache.Timed
	} else {
		shared := len(c.out)
		codeShared(c, &request)
		e.timed[0] = e.writeFields(header)
		if cache != nil && !r.journal.fields.over { // else they depend on what is secret now
			cache.Recorded, cache.Timed = bytes.Clone(c.out[shared:]), e.timed[0]
		}
	}
	e.end(entryBegin)
	return e
}

// SecretsChanged says that [Options.Secrets] has changed. It rebuilds the patterns now,
// so that active bodies use them immediately and the next request does not wait for
// them.
func (r *Recorder) SecretsChanged() {
	if r != nil {
		r.readAll() // with the former secrets
		r.secrets.Now()
	}
}

// Pause stops or resumes the recording of new exchanges. Active ones are recorded to
// their end.
func (r *Recorder) Pause(paused bool) {
	r.paused.Store(paused)
	r.readAll()
	r.watch.publish(Event{Kind: KindPaused, Paused: paused})
}

// Paused reports whether new exchanges are ignored.
func (r *Recorder) Paused() bool { return r.paused.Load() }

// Dropped returns how many exchanges were evicted.
func (r *Recorder) Dropped() uint64 {
	r.readAll()
	return r.dropped.Load() + r.journal.lostSoFar()
}

// List returns all recorded exchanges, oldest first.
func (r *Recorder) List() []Summary {
	list := slices.Collect(r.Newest())
	slices.Reverse(list)
	return list
}

// Newest yields the exchanges, newest first. A caller that needs only a few can stop.
func (r *Recorder) Newest() iter.Seq[Summary] {
	return func(yield func(Summary) bool) {
		r.readAll()
		for _, e := range slices.Backward(r.snapshot()) {
			if !yield(e.summary()) {
				return
			}
		}
	}
}

// Get returns a copy of an exchange, which may still be active.
func (r *Recorder) Get(id uint64) (Record, bool) {
	r.readAll()
	r.mu.Lock()
	e := r.all[id]
	r.mu.Unlock()
	if e == nil {
		return Record{}, false
	}
	return e.record(), true
}

// Secrets are the patterns of what is secret now.
func (r *Recorder) Secrets() *redact.Patterns { return r.secrets.Now() }

// Raw returns the bodies of an exchange as they came, secrets included, for who masks what is in them. They are never
// to be shown as they are.
func (r *Recorder) Raw(id uint64, side Side) (body Body, ok bool) {
	r.readAll()
	r.mu.Lock()
	e := r.all[id]
	r.mu.Unlock()
	if e == nil {
		return Body{}, false
	}
	_, request, response := e.copy()
	if side == RequestSide {
		return request.Body, true
	}
	return response.Body, true
}

// Clear removes all exchanges that have ended. The active ones are sent to the watchers
// again, after the event that clears their list.
func (r *Recorder) Clear() {
	r.readAll()
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
func (r *Recorder) snapshot() []*recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sorted()
}

// sorted is snapshot for a caller that holds mu.
func (r *Recorder) sorted() []*recording {
	return slices.SortedFunc(maps.Values(r.all), func(a, b *recording) int { return cmp.Compare(a.id, b.id) })
}
