package capture

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answered is an exchange whose answer has a head of this content type.
func answered(r *Recorder, header ...Field) *Exchange {
	e := post(r)
	e.Response(200, "HTTP/2.0", header)
	return e
}

var related = Field{Name: "Content-Type", Value: "Multipart/Related; boundary=b"}

func TestMarksSayWhenABodyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		e := answered(r, related)
		e.ResponseBody([]byte("first"))
		time.Sleep(time.Millisecond / 2)
		e.ResponseBody([]byte(" with it"))
		time.Sleep(time.Hour)
		e.ResponseBody([]byte("an hour later"))
		want := []Arrival{{0, 0}, {int64(len("first with it")), time.Hour + time.Millisecond/2}}
		if diff := cmp.Diff(want, get(t, r, e).Response.Body.Arrivals); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMarksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{})
		e := answered(r, related)
		before := r.used.Load()
		for range 2 * maxArrivals {
			e.ResponseBody([]byte("x"))
			time.Sleep(time.Second)
		}
		marks := get(t, r, e).Response.Body.Arrivals
		if len(marks) != maxArrivals || marks[maxArrivals-2].At != (maxArrivals-2)*time.Second {
			t.Fatalf("%d marks, the last but one %+v", len(marks), marks[len(marks)-2])
		}
		if last := marks[maxArrivals-1]; last.At >= 0 {
			t.Errorf("bytes behind the last arrival are said to have come at %s", last.At)
		}
		if spent := r.used.Load() - before; spent < 16*maxArrivals {
			t.Errorf("%d bytes were spent", spent)
		}
	})
}

func TestOtherBodiesHaveNoMarks(t *testing.T) {
	r := New(Options{})
	for _, header := range [][]Field{nil, {{Name: "Content-Type", Value: "text/plain"}}, {related, {Name: "Content-Encoding", Value: "gzip"}}} {
		e := answered(r, header...)
		e.ResponseBody([]byte("text"))
		if marks := get(t, r, e).Response.Body.Arrivals; marks != nil {
			t.Errorf("%v: %v", header, marks)
		}
	}
}

// Arrivals stand where the bytes do that are told, behind what was masked; and go with them.
func TestMarksGoByWhatIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Secrets: live("s3cr3t-of-the-test")})
		e := answered(r, related)
		e.ResponseBody([]byte("s3cr3t-of-the-test, told"))
		time.Sleep(time.Hour)
		e.ResponseBody([]byte("later"))
		want := []Arrival{{0, 0}, {int64(len("***, told")), time.Hour}}
		if diff := cmp.Diff(want, get(t, r, e).Response.Body.Arrivals); diff != "" {
			t.Error(diff)
		}
		e.WithoutBodies()
		if body := get(t, r, e).Response.Body; len(body.Arrivals) != 0 || len(body.Bytes) != 0 {
			t.Errorf("%+v", body)
		}
		e.End(Facts{}, nil)
		if r.Clear(); r.used.Load() != 0 {
			t.Errorf("%d bytes are in use by nothing", r.used.Load())
		}
	})
}
