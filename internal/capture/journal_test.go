package capture

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// Where more comes than is read, the oldest exchanges are lost. One that is under way loses
// nothing, nor one that was begun to be read.
func TestTheJournalKeepsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that nothing is read meanwhile
		r := New(Options{Total: 4 << 20})
		long := post(r)
		long.RequestData([]byte("first,"))
		begun := post(r)
		r.readAll()
		unread := post(r)
		for i := range 20_000 {
			e := r.Begin(Request{Began: time.Now(), Method: "GET", Target: fmt.Sprint("/", i)})
			e.RequestEnd(nil, nil)
			e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "text/plain"))
			e.ResponseData([]byte("hello"))
			e.End(exchange.Facts{Status: 200}, nil)
			if i%2000 == 0 {
				long.RequestData([]byte("more,"))
			}
		}
		begun.End(exchange.Facts{Status: 201}, nil)
		unread.End(exchange.Facts{Status: 202}, nil)
		if len(r.journal.ring) != 1<<20 {
			t.Errorf("the ring has %d bytes", len(r.journal.ring))
		}
		list := r.List()
		if n := len(list); n < 1000 || n > 19_000 {
			t.Fatalf("%d exchanges are left", n)
		}
		newest := list[len(list)-500:]
		for i, s := range newest {
			if s.ID != newest[0].ID+uint64(i) || s.State != StateDone || s.ResponseBytes != 5 {
				t.Fatalf("among the newest: %+v", s)
			}
		}
		if body := get(t, r, long).Request.Body; string(body.Bytes) != "first,"+strings.Repeat("more,", 10) {
			t.Errorf("of what is under way: %q", body.Bytes)
		}
		if a, b := get(t, r, begun), get(t, r, unread); a.State != StateDone || b.State != StateDone {
			t.Errorf("%+v, %+v", a.Summary, b.Summary)
		}
		if lost := r.Dropped(); lost+uint64(len(list)) != 20_003 {
			t.Errorf("%d were lost, %d are left", lost, len(list))
		}
		long.End(exchange.Facts{}, nil)
		r.readAll()
		if slices.ContainsFunc(r.journal.slots, func(flags byte) bool { return flags != 0 }) || len(r.journal.free) != len(r.journal.slots) {
			t.Error("slots of exchanges that have ended are in use")
		}
	})
}

// What costs little is read soon, so that the ring has room.
func TestTheJournalIsReadSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		e := post(r)
		if r.used.Load() != 0 {
			t.Error("it was read at once, for nobody")
		}
		time.Sleep(readEvery)
		synctest.Wait()
		if r.used.Load() == 0 {
			t.Error("it was not read")
		}
		events := r.Watch(t.Context(), e.ID())
		e.ResponseData([]byte("seen"))
		synctest.Wait() // no time passes
		if event := <-events; event.Chunk == nil || string(event.Chunk.Bytes) != "seen" {
			t.Errorf("%+v", event)
		}
	})
}

// Bytes beyond the bound are counted, and written down only for who follows.
func TestTheJournalHoldsWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Body: 1000})
		e := post(r)
		before := r.journal.written()
		for range 100 {
			e.ResponseData(make([]byte, 20_000))
		}
		if n := r.journal.written() - before; n > 100*4*(entryHead+8)+1000 {
			t.Errorf("2 MB take %d bytes", n)
		}
		if body := get(t, r, e).Response.Body; body.Size != 2_000_000 || body.Kept != 1000 {
			t.Errorf("%+v", body)
		}
	})
}

// Who follows gets bytes beyond the bound. Behind them the rest is counted as before.
func TestTheJournalGoesOnBehindAFollower(t *testing.T) {
	for _, limit := range []int64{-1, 100} {
		r := New(Options{Body: limit})
		e := post(r)
		ctx, cancel := context.WithCancel(t.Context())
		r.Watch(ctx, e.ID())
		e.ResponseData(make([]byte, 5000))
		cancel()
		testkit.Eventually(t, "the watcher to be gone", func() bool { return !r.watch.any() })
		e.ResponseData(make([]byte, 5000))
		e.RequestData(make([]byte, 10))
		if b := get(t, r, e).Response.Body; b.Size != 10_000 || b.Kept != max(limit, 0) {
			t.Errorf("%d: %+v", limit, b)
		}
	}
}

// A body of which pieces were lost is not shown as a whole one.
func TestTheJournalShowsNoHolesAsBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Body: 8 << 20, Total: 16 << 20})
		e := post(r)
		for range 1000 {
			e.ResponseData(make([]byte, 10_000))
		}
		e.End(exchange.Facts{}, nil)
		if b := get(t, r, e).Response.Body; b.Size != 10_000_000 || b.Complete {
			t.Errorf("%+v", b)
		}
	})
}

// Heads that come again may be followed by a body or not, and each has its own path.
func TestHeadsThatComeAgainAreRecordedEach(t *testing.T) {
	r, cache := New(Options{}), &exchange.HeadCache{}
	for i, noBody := range []bool{true, false, true} {
		target := fmt.Sprint("/", i)
		e := r.BeginWith(Request{Began: time.Now(), Method: "POST", Target: target, NoBody: noBody}, testkit.Fields("A", "b"), cache)
		if !noBody {
			e.RequestData([]byte("body"))
			e.RequestEnd(nil, nil)
		}
		e.End(exchange.Facts{Status: 200}, nil)
		got := get(t, r, e)
		if body := string(got.Request.Body.Bytes); got.Target != target || got.Method != "POST" || len(got.Request.Header) != 1 || !got.Request.Body.Complete || (body == "body") == noBody {
			t.Errorf("%d: %+v, %q", i, got, body)
		}
	}
	if cache.Recorded == nil {
		t.Error("nothing was kept")
	}
}

// Looking ends, however much comes meanwhile.
func TestReadingTheJournalEnds(t *testing.T) {
	r := New(Options{})
	stop, flood := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(flood)
		for {
			select {
			case <-stop:
				return
			default:
				post(r).End(exchange.Facts{}, nil)
			}
		}
	}()
	for range 20 {
		r.List()
	}
	r.Pause(true)
	close(stop)
	<-flood
}

// FuzzJournalReader reads entries with any content.
func FuzzJournalReader(f *testing.F) {
	for kind := entryBegin; kind <= entryEnd; kind++ {
		f.Add(byte(kind), []byte("\x06abc\x00\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
		f.Add(byte(kind), bytes.Repeat([]byte{0xff}, 40))
	}
	f.Fuzz(func(t *testing.T, kind byte, content []byte) {
		r := New(Options{})
		r.begin(1, Request{}, false)
		r.tell(entry{kind: entryKind(kind), id: 1, at: time.Now()}, &codec{in: string(content), reading: true, wide: true})
		r.tell(entry{kind: entryBegin, id: 2, at: time.Now()}, &codec{in: string(content), reading: true, wide: true})
		asJSON(t, r.List())
		r.Get(1)
	})
}
