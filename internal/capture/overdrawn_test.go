package capture

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// Active exchanges are not evicted, but long heads of many are dropped to make room.
func TestHeadsOfActiveExchangesAreDropped(t *testing.T) {
	const total, many = 4 << 20, 1000
	r := New(Options{Total: total})
	long := []Field{{Name: "X-Long", Value: strings.Repeat("x", 20<<10)}, {Name: "Content-Type", Value: "text/plain"}}
	var all []*Exchange
	for range many {
		e := post(r, long...)
		e.Interim(103, seq(long))
		e.Response(head(200, "HTTP/2.0"), seq(long))
		all = append(all, e)
	}
	if used := r.used.Load(); used > total {
		t.Errorf("%d KiB are in use, of %d", used>>10, total>>10)
	}
	first, last := get(t, r, all[0]), get(t, r, all[many-1])
	if len(first.Request.Header)+len(first.Response.Header)+len(first.Interim) != 0 || !first.Request.Cut || !first.Response.Cut || first.ContentType != "text/plain" {
		t.Errorf("the oldest: %d fields, cut %v, type %q", len(first.Request.Header), first.Request.Cut, first.ContentType)
	}
	if len(last.Response.Header) != 2 || last.Response.Cut {
		t.Errorf("the youngest: %+v", last.Response.Cut)
	}
	for _, e := range all {
		e.End(exchange.Facts{}, nil)
	}
	r.Clear()
	if used := r.used.Load(); used != 0 {
		t.Errorf("%d bytes are in use by nothing", used)
	}
}

// If active exchanges alone use more than Total, a chunk must not examine all of them.
func TestChunksAreCheapWhenNothingCanBeDropped(t *testing.T) {
	r := New(Options{Body: 1 << 10, Total: -1})
	for range 5000 {
		post(r)
	}
	e := post(r)
	e.ResponseData([]byte("x"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		e.ResponseData([]byte("x"))
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("1000 chunks of one byte take %d KiB", used>>10)
	}
	e.End(exchange.Facts{}, nil)
	left := testkit.NewBuffer()
	testkit.Eventually(t, left, func() bool { // another reader may be under way
		n := len(r.List())
		fmt.Fprintf(left, "%d exchanges are left\n", n)
		return n == 5000
	})
}

// After a time in which nothing could be dropped, active exchanges are cut as before.
func TestActiveExchangesAreCutAgainAfterACrowd(t *testing.T) {
	const total = 256 << 10
	r := New(Options{Total: total})
	var crowd []*Exchange
	for range 1000 {
		crowd = append(crowd, post(r))
	}
	r.readAll()
	if r.used.Load() <= total {
		t.Fatal("a thousand under way are no crowd")
	}
	for _, e := range crowd {
		e.End(exchange.Facts{}, nil)
	}
	under := []*Exchange{post(r), post(r), post(r), post(r)}
	for range 100 {
		for _, e := range under {
			e.ResponseData(make([]byte, 1<<10))
			r.readAll()
			if used := r.used.Load(); used > total+minChange {
				t.Fatalf("%d KiB are in use, of %d", used>>10, total>>10)
			}
		}
	}
}
