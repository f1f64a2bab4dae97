package capture

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

// The encoded form of an ended exchange shows the same.
func TestEncodedExchangesKeepEverything(t *testing.T) {
	for _, size := range []int{0, 1, maxSmall, maxSmall + 1, slabSize, defaultBody + 1} {
		synctest.Test(t, func(t *testing.T) {
			r := New(Options{Secrets: live("s3cr3t-of-the-test"), EventName: func(string, []byte) string { return "A.B" }})
			e := full(r, size)
			time.Sleep(time.Second)
			facts := exchange.Facts{
				Upstream: exchange.ConnInfo{Proto: "HTTP/2.0", Conn: 1 << 60, Stream: 1 << 31, TLS: true, Reused: true, Address: "https://x"}, Tries: 3, Replayed: true, Lasts: true,
				Decision: "injected", Credential: "alexa", TokenAge: -1, TokenLeft: time.Hour, Token: 2, Connect: 3, TLS: 1, FirstByte: 5,
				Took: 2 * time.Second, Ended: "cut", Error: "code", Sent: 1 << 40, Written: 7,
			}
			recorded := known(t, r, e)
			recorded.change(func() { recorded.setFacts(facts) })
			before := get(t, r, e)
			e.End(facts, nil)
			after := get(t, r, e)
			before.State = "done"
			if diff := cmp.Diff(before, after, cmp.AllowUnexported(Message{})); diff != "" {
				t.Errorf("%d bytes: %s", size, diff)
			}
			e.RequestData([]byte("late"))
			e.ResponseData([]byte("late"))
			e.RequestEnd(nil, nil)
			if diff := cmp.Diff(after, get(t, r, e), cmp.AllowUnexported(Message{})); diff != "" {
				t.Errorf("what comes late changes %s", diff)
			}
			if r.Clear(); r.used.Load() != 0 {
				t.Errorf("%d bytes are in use by nothing", r.used.Load())
			}
		})
	}
}

// full is an exchange with all kinds of data, both of whose bodies have ended.
func full(r *Recorder, size int) *Exchange {
	body := append(bytes.Repeat([]byte("x\n"), size/2+1), "s3cr3t-of-the-test"...)[:size]
	multipart := Field{Name: "Content-Type", Value: "multipart/mixed"}
	e := r.Begin(Request{
		Began: time.Now(), Route: "r", Method: "POST", Scheme: "http", Host: "h", Target: "/é", Proto: "HTTP/1.1",
		Client: exchange.ConnInfo{Proto: "HTTP/1.1", Conn: 9, Address: "unix:/x"}, Header: []Field{multipart, {Name: "", Value: ""}, {Name: "A", Value: "\x00\xff"}}, ReplayOf: 1 << 50,
	})
	e.RequestData(body)
	e.RequestEnd(testkit.Fields("T", "1"), errors.New("cut"))
	e.Interim(103, testkit.Fields("Link", "x"))
	e.Interim(100, nil)
	e.Response(head(200, "HTTP/2.0"), seq([]Field{multipart}))
	e.ResponseData(body[:size/2])
	time.Sleep(time.Second)
	e.ResponseData(body[size/2:])
	return e
}

// An evicted exchange that somebody still holds must not show bodies of others.
func TestAnEvictedExchangeShowsNoBody(t *testing.T) {
	r := New(Options{})
	for _, size := range []int{100, 40 << 10} {
		e := known(t, r, ended(r, size))
		r.Clear()
		known(t, r, ended(r, size))
		if record := e.record(); len(record.Request.Body.Bytes) != 0 || record.Request.Body.Complete || record.Request.Body.Size != int64(size) {
			t.Errorf("%d bytes: %+v", size, record.Request.Body)
		}
	}
}
