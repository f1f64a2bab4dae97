package capture

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
)

// watcherQueue is how many events may wait for a watcher.
const watcherQueue = 256

// watchers receive events. A watcher that is too slow is removed, so that no sender
// waits.
type watchers struct {
	count atomic.Int32 // of list, to avoid the lock if there is no watcher
	mu    sync.Mutex
	list  map[*watcher]struct{}
}

type watcher struct {
	follow uint64
	events chan Event
}

// Watch returns events from now on, with the chunks of the exchange follow (0 means
// none). The channel is closed when ctx is done, or when 256 events wait in it.
func (r *Recorder) Watch(ctx context.Context, follow uint64) <-chan Event {
	r.readAll() // so that events from before do not come
	w := &watcher{follow: follow, events: make(chan Event, watcherQueue)}
	r.watch.add(w)
	context.AfterFunc(ctx, func() { r.watch.remove(w) })
	return w.events
}

func (w *watchers) add(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = map[*watcher]struct{}{}
	}
	w.list[one] = struct{}{}
	w.count.Store(int32(len(w.list)))
}

func (w *watchers) remove(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut(one)
}

// cut removes a watcher if it is in the list. The caller holds mu.
func (w *watchers) cut(one *watcher) {
	if _, found := w.list[one]; !found {
		return
	}
	delete(w.list, one)
	w.count.Store(int32(len(w.list)))
	close(one.events)
}

func (w *watchers) any() bool { return w.count.Load() > 0 }

// publish sends an event to all watchers.
func (w *watchers) publish(event Event) {
	w.send(event, func(*watcher) bool { return true })
}

// chunk sends a piece of a body to the followers of exchange id.
func (w *watchers) chunk(id uint64, side Side, offset int64, p []byte) {
	if w.follows(id) {
		chunk := &Chunk{ID: id, Side: side, Offset: offset, Bytes: bytes.Clone(p)}
		w.send(Event{Kind: KindChunk, Chunk: chunk}, func(one *watcher) bool { return one.follow == id })
	}
}

func (w *watchers) send(event Event, to func(*watcher) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.list {
		if !to(one) {
			continue
		}
		select {
		case one.events <- event:
		default:
			w.cut(one)
		}
	}
}

func (w *watchers) follows(id uint64) bool {
	if !w.any() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.list {
		if one.follow == id {
			return true
		}
	}
	return false
}
