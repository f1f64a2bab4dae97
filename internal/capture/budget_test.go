package capture

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// ended records a whole exchange with two bodies of n bytes.
func ended(r *Recorder, n int) *Exchange {
	e := post(r, Field{Name: "Content-Type", Value: "application/octet-stream"})
	p := make([]byte, n)
	e.RequestData(p)
	e.RequestEnd(nil, nil)
	e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "text/plain"))
	e.ResponseData(p)
	e.End(exchange.Facts{Decision: "injected"}, nil)
	return e
}

func TestTheOldestEndedExchangesAreEvicted(t *testing.T) {
	r := New(Options{Total: 100 << 10})
	under := post(r)
	under.ResponseData(make([]byte, 20<<10))
	watched := watch(t, r, 0)
	var last *Exchange
	for range 10 {
		last = ended(r, 10<<10)
		r.readAll()
	}
	list := r.List()
	if list[0].ID != under.ID() || list[len(list)-1].ID != last.ID() || len(list) < 3 || len(list) > 5 {
		t.Errorf("left: %+v", list)
	}
	if got := get(t, r, under); got.Response.Body.Kept != 20<<10 {
		t.Errorf("a body under way was cut before what had ended: %+v", got.Response.Body)
	}
	var removed []uint64
	for _, event := range watched() {
		removed = append(removed, event.Removed...)
	}
	if len(removed) != 11-len(list) || r.Dropped() != uint64(len(removed)) || removed[0] != 2 {
		t.Errorf("removed %v, dropped %d", removed, r.Dropped())
	}
	if r.used.Load() > r.options.Total {
		t.Errorf("%d bytes are in use", r.used.Load())
	}
}

func TestAnActiveExchangeLosesOnlyItsBodies(t *testing.T) {
	r := New(Options{Total: 100 << 10})
	oldest := post(r)
	oldest.ResponseData(make([]byte, 40<<10))
	youngest := post(r)
	youngest.ResponseData(make([]byte, 60<<10))
	youngest.RequestData(make([]byte, 10<<10))
	oldest.ResponseData([]byte("more"))
	oldest.End(exchange.Facts{}, nil)
	if b := get(t, r, oldest).Response.Body; b.Kept != 0 || b.Complete || b.Size != 40<<10+4 {
		t.Errorf("oldest %+v", b)
	}
	if b := get(t, r, youngest).Response.Body; b.Kept != 60<<10 {
		t.Errorf("youngest %+v", b)
	}
}

// heap is the memory in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// The text of a field is a substring of a whole head, which must not stay in memory.
func TestFieldsDoNotKeepTheirHeadInMemory(t *testing.T) {
	before := heap()
	r := New(Options{})
	for range 100 {
		head := strings.Repeat("x", 256<<10)
		e := r.Begin(Request{Target: head[:10], Header: []Field{{Name: head[:5], Value: head[5:10]}}})
		e.RequestEnd(testkit.Fields(head[:5], head[5:10]), nil)
		e.End(exchange.Facts{Ended: head[:9]}, nil)
	}
	if used := heap() - before; used > maxJournal+2<<20 {
		t.Errorf("heads of 10 bytes keep %d KiB", used>>10)
	}
	runtime.KeepAlive(r)
}

// TestMemoryIsBounded compares the memory that is accounted for with the memory in use.
func TestMemoryIsBounded(t *testing.T) {
	const total, slack = 4 << 20, 1 << 20
	long := strings.Repeat("x", 300)
	for size, count := range map[int]int{100: 50_000, 20_000: 1000} {
		before := heap()
		r := New(Options{Total: total})
		for i := range count {
			if i%16 == 0 {
				r.readAll()
			}
			e := post(r, Field{Name: "Content-Type", Value: "text/plain"}, Field{Name: "X-Long", Value: long})
			e.RequestData(make([]byte, size))
			e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "text/plain"))
			e.ResponseData(make([]byte, size))
			e.End(exchange.Facts{Decision: "injected", Ended: "the client hung up"}, nil)
		}
		used := heap() - before
		if used > total+slack {
			t.Errorf("%d exchanges with bodies of %d bytes take %d KiB", count, size, used>>10)
		}
		if used := r.used.Load(); used < total/2 {
			t.Errorf("with bodies of %d bytes only %d KiB of the budget are used", size, used>>10)
		}
		if left := len(r.List()); left == 0 || left == count {
			t.Errorf("%d exchanges are left", left)
		}
	}
}

func TestRecordersAreSharedByAll(t *testing.T) {
	secret := strings.Repeat("s3cr3t", 10)
	r := New(Options{Total: 256 << 10, Secrets: live(secret)})
	watched := watch(t, r, 5)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				e := post(r)
				var upload sync.WaitGroup
				upload.Go(func() {
					for range 5 {
						e.RequestData(make([]byte, 1000))
					}
					e.RequestEnd(nil, nil)
				})
				e.Response(head(200, "HTTP/2.0"), nil)
				e.ResponseData([]byte(secret))
				e.End(exchange.Facts{}, nil)
				upload.Wait()
			}
		})
		group.Go(func() {
			for range 20 {
				for _, s := range r.List() {
					r.Get(s.ID)
				}
			}
			r.Clear()
		})
	}
	group.Wait()
	watched()
	r.Clear()
	if r.used.Load() != 0 || len(r.List()) != 0 {
		t.Errorf("%d bytes in use by %d exchanges", r.used.Load(), len(r.List()))
	}
}

func BenchmarkExchange(b *testing.B) {
	r := New(Options{Secrets: live(strings.Repeat("t", 400))})
	p := []byte(strings.Repeat(`{"name":"value"},`, 1024/17))
	b.ReportAllocs()
	for b.Loop() {
		e := post(r, Field{Name: "Content-Type", Value: "application/json"}, Field{Name: "User-Agent", Value: "curl/8.0"}, Field{Name: "Authorization", Value: "Bearer x"})
		e.RequestData(p)
		e.RequestEnd(nil, nil)
		e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "application/json"))
		e.ResponseData(p)
		e.End(exchange.Facts{}, nil)
	}
}

func BenchmarkStream(b *testing.B) {
	r := New(Options{Secrets: live(strings.Repeat("t", 400))})
	p := []byte(strings.Repeat(`{"name":"value"},`, 16<<10/17))
	b.SetBytes(64 * int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		e := post(r)
		for range 64 {
			e.ResponseData(p)
		}
		e.End(exchange.Facts{}, nil)
	}
}
