package capture

import (
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"

	"github.com/google/go-cmp/cmp"
)

// answered is an exchange whose response has this header.
func answered(r *Recorder, header ...Field) *Exchange {
	e := post(r)
	e.Response(head(200, "HTTP/2.0"), seq(header))
	return e
}

var related = Field{Name: "Content-Type", Value: "Multipart/Related; boundary=b"}

func TestArrivalsSayWhenBytesOfABodyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		e := answered(r, related)
		e.ResponseData([]byte("first"))
		time.Sleep(time.Millisecond / 2)
		e.ResponseData([]byte(" with it"))
		time.Sleep(time.Hour)
		e.ResponseData([]byte("an hour later"))
		want := []Arrival{{0, 0}, {int64(len("first with it")), time.Hour + time.Millisecond/2}}
		if diff := cmp.Diff(want, get(t, r, e).Response.Body.Arrivals); diff != "" {
			t.Error(diff)
		}
	})
}

func TestArrivalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		e := answered(r, related)
		before := r.used.Load()
		for range 2 * maxArrivals {
			e.ResponseData([]byte("x"))
			time.Sleep(time.Second)
		}
		arrivals := get(t, r, e).Response.Body.Arrivals
		if len(arrivals) != maxArrivals || arrivals[maxArrivals-2].At != (maxArrivals-2)*time.Second {
			t.Fatalf("%d arrivals, the last but one %+v", len(arrivals), arrivals[len(arrivals)-2])
		}
		if last := arrivals[maxArrivals-1]; last.At >= 0 {
			t.Errorf("bytes behind the last arrival are said to have come at %s", last.At)
		}
		if spent := r.used.Load() - before; spent < 16*maxArrivals {
			t.Errorf("%d bytes were spent", spent)
		}
	})
}

func TestOtherBodiesHaveNoArrivals(t *testing.T) {
	r := New(Options{})
	for _, header := range [][]Field{nil, {{Name: "Content-Type", Value: "text/plain"}}, {related, {Name: "Content-Encoding", Value: "gzip"}}} {
		e := answered(r, header...)
		e.ResponseData([]byte("text"))
		if arrivals := get(t, r, e).Response.Body.Arrivals; arrivals != nil {
			t.Errorf("%v: %v", header, arrivals)
		}
	}
}

// The offsets of arrivals count masked bytes, and arrivals are dropped with the body.
func TestArrivalsMatchTheMaskedBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Secrets: live("s3cr3t-of-the-test")})
		e := answered(r, related)
		e.ResponseData([]byte("s3cr3t-of-the-test, told"))
		time.Sleep(time.Hour)
		e.ResponseData([]byte("later"))
		want := []Arrival{{0, 0}, {int64(len("***, told")), time.Hour}}
		if diff := cmp.Diff(want, get(t, r, e).Response.Body.Arrivals); diff != "" {
			t.Error(diff)
		}
		e.WithoutBodies()
		if body := get(t, r, e).Response.Body; len(body.Arrivals) != 0 || len(body.Bytes) != 0 {
			t.Errorf("%+v", body)
		}
		e.End(exchange.Facts{}, nil)
		if r.Clear(); r.used.Load() != 0 {
			t.Errorf("%d bytes are in use by nothing", r.used.Load())
		}
	})
}
