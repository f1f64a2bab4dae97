package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

func TestAnExchangeIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{EventName: func(_ string, body []byte) string {
			if bytes.Contains(body, []byte("Recognize")) {
				return "SpeechRecognizer.Recognize"
			}
			return ""
		}})
		e := r.Begin(Request{
			Began: time.Now(), Arrived: time.Now().Add(-time.Millisecond), Route: "avs", Method: "POST", Scheme: "http", Host: "localhost:9744",
			Target: "/events?a=b", Proto: "HTTP/1.1", Client: exchange.ConnInfo{Proto: "HTTP/1.1", Conn: 3, Address: "http://127.0.0.1:9744"},
			Header: []Field{{Name: "A", Value: "1"}, {Name: "a", Value: "2"}, {Name: "Authorization", Value: "Bearer x"}, {Name: "Content-Type", Value: "Multipart/form-data"}}, ReplayOf: 7,
		})
		e.RequestData([]byte("Recog"))
		e.RequestData([]byte("nize"))
		time.Sleep(20 * time.Millisecond)
		e.Interim(103, testkit.Fields("Link", "</x>"))
		e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "text/plain"))
		e.ResponseData([]byte("answer"))
		e.RequestEnd(testkit.Fields("Sum", "1"), nil)
		time.Sleep(30 * time.Millisecond)
		e.End(exchange.Facts{
			Upstream: exchange.ConnInfo{Proto: "HTTP/2.0", Conn: 4, Stream: 5, Reused: true, Address: "https://example.com"}, Tries: 2, Replayed: true,
			Decision: "injected", Credential: "alexa", TokenAge: time.Second, TokenLeft: -1, Token: 5 * time.Millisecond, FirstByte: 20 * time.Millisecond, Took: 50 * time.Millisecond,
		}, testkit.Fields("End", "2"))
		const want = `{"id":1,"route":"avs","method":"POST","scheme":"http","host":"localhost:9744","target":"/events?a=b",` +
			`"status":200,"state":"done","began":"2000-01-01T00:00:00Z","took_ms":50,"proto":"HTTP/1.1","upstream_proto":"HTTP/2.0",` +
			`"decision":"injected","error":"","ended":"","request_bytes":9,"response_bytes":6,"content_type":"text/plain",` +
			`"avs":"SpeechRecognizer.Recognize","replayed":true,"replay_of":7,"client_conn":3,"upstream_conn":4,"credential":"alexa",` +
			`"client":{"proto":"HTTP/1.1","conn":3,"stream":0,"tls":false,"reused":false,"address":"http://127.0.0.1:9744"},` +
			`"upstream":{"proto":"HTTP/2.0","conn":4,"stream":5,"tls":false,"reused":true,"address":"https://example.com"},"tries":2,` +
			`"token":{"credential":"alexa","decision":"injected","age_s":1},` +
			`"timing_ms":{"guard":1,"token":5,"connect":0,"tls":0,"first_byte":20,"total":50},` +
			`"request":{"headers":[["A","1"],["a","2"],["Authorization","Bearer ***"],["Content-Type","Multipart/form-data"]],"trailers":[["Sum","1"]],"body":{"size":9,"kept":9,"complete":true},"headers_masked":[2]},` +
			`"interim":[{"status":103,"headers":[["Link","\u003c/x\u003e"]]}],` +
			`"response":{"headers":[["Content-Type","text/plain"]],"trailers":[["End","2"]],"body":{"size":6,"kept":6,"complete":true}}}`
		record := get(t, r, e)
		record.Began = record.Began.UTC()
		if diff := cmp.Diff(want, asJSON(t, record)); diff != "" {
			t.Error(diff)
		}
		var back Record
		if err := json.Unmarshal([]byte(want), &back); err != nil || back.Request.Header[1] != (Field{Name: "a", Value: "2"}) || !back.Request.Header[2].Masked {
			t.Errorf("%+v, %v", back, err)
		}
	})
}

func TestWatchersSeePauses(t *testing.T) {
	r := New(Options{})
	watched := watch(t, r, 0)
	r.Pause(true)
	r.Pause(false)
	events := watched()
	if len(events) != 2 || asJSON(t, events[0]) != `{"paused":true}` || asJSON(t, events[1]) != `{"paused":false}` || events[0].Kind != KindPaused {
		t.Errorf("%+v", events)
	}
}

func TestNothingIsRecordedWhilePaused(t *testing.T) {
	r := New(Options{})
	under := post(r)
	r.Pause(true)
	none := post(r)
	var nobody *Recorder
	for _, e := range []*Exchange{none, nobody.Begin(Request{})} {
		e.RequestData([]byte("x"))
		e.RequestEnd(nil, nil)
		e.Interim(100, nil)
		e.Response(head(200, ""), nil)
		e.ResponseData([]byte("x"))
		e.WithoutBodies()
		e.End(exchange.Facts{}, nil)
		if e != nil || e.ID() != 0 {
			t.Error("an exchange was recorded")
		}
	}
	under.Response(head(204, ""), nil)
	if list := r.List(); !r.Paused() || len(list) != 1 || list[0].Status != 204 {
		t.Errorf("%+v", list)
	}
}

func TestBodiesAreKeptUpToTheirLimit(t *testing.T) {
	r := New(Options{Body: 10})
	e := post(r)
	e.RequestData([]byte("0123456789"))
	e.RequestEnd(nil, nil)
	e.ResponseData([]byte("0123456789a"))
	e.ResponseData(make([]byte, 100<<10))
	e.End(exchange.Facts{}, nil)
	e.ResponseData([]byte("late"))
	got := get(t, r, e)
	if b := got.Request.Body; b.Size != 10 || b.Kept != 10 || !b.Complete {
		t.Errorf("request %+v", b)
	}
	if b := got.Response.Body; b.Size != 11+100<<10 || string(b.Bytes) != "0123456789" || b.Complete {
		t.Errorf("response %+v", b)
	}
}

func TestABodyWithoutARegularEndIsNotComplete(t *testing.T) {
	r := New(Options{})
	e := post(r)
	e.RequestData([]byte("a"))
	e.ResponseData([]byte("b"))
	e.RequestEnd(nil, errors.New("reset"))
	e.End(exchange.Facts{Ended: "the upstream reset its stream (CANCEL)"}, nil)
	if got := get(t, r, e); got.Request.Body.Complete || got.Response.Body.Complete || got.Request.Body.Kept != 1 {
		t.Errorf("%+v", got)
	}
}

func TestBodiesAreForgottenOnDemand(t *testing.T) {
	r := New(Options{})
	e := post(r)
	e.RequestData([]byte("client_secret"))
	e.WithoutBodies()
	e.RequestData([]byte("more"))
	e.RequestEnd(nil, nil)
	e.ResponseData([]byte("token"))
	e.End(exchange.Facts{}, nil)
	got := get(t, r, e)
	if b := got.Request.Body; b.Size != 17 || b.Kept != 0 || b.Complete {
		t.Errorf("request %+v", b)
	}
	if b := got.Response.Body; b.Size != 5 || b.Kept != 0 || b.Complete {
		t.Errorf("response %+v", b)
	}
}

func TestClearKeepsActiveExchanges(t *testing.T) {
	r := New(Options{})
	done, under := post(r), post(r)
	done.End(exchange.Facts{}, nil)
	watched := watch(t, r, 0)
	r.Clear()
	if list := r.List(); len(list) != 1 || list[0].ID != under.ID() {
		t.Errorf("%+v", list)
	}
	events := watched()
	if len(events) != 2 || events[0].Kind != KindCleared || asJSON(t, events[0]) != "{}" || events[1].Summary.ID != under.ID() {
		t.Errorf("%+v", events)
	}
	under.End(exchange.Facts{}, nil)
	r.Clear()
	if left := r.used.Load(); left != 0 || len(r.List()) != 0 {
		t.Errorf("%d bytes are in use by nothing", left)
	}
}

func TestWatchersSeeBeginHeadAndEnd(t *testing.T) {
	r := New(Options{})
	watched := watch(t, r, 1)
	e := post(r)
	e.RequestData([]byte("ask"))
	e.Response(head(200, "HTTP/2.0"), nil)
	e.ResponseData([]byte("ans"))
	e.ResponseData([]byte("wer"))
	other := post(r)
	other.ResponseData([]byte("not followed"))
	e.End(exchange.Facts{}, nil)
	var got []string
	for _, event := range watched() {
		switch event.Kind {
		case KindExchange:
			got = append(got, fmt.Sprint(event.Summary.ID, " ", event.Summary.State, " ", event.Summary.Status))
		case KindChunk:
			got = append(got, asJSON(t, event))
		}
	}
	want := []string{
		"1 active 0", `{"id":1,"side":"request","offset":0,"base64":"YXNr"}`, "1 active 200",
		`{"id":1,"side":"response","offset":0,"base64":"YW5z"}`, `{"id":1,"side":"response","offset":3,"base64":"d2Vy"}`,
		"2 active 0", "1 done 200",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASlowWatcherIsRemoved(t *testing.T) {
	r := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	slow := r.Watch(ctx, 0)
	for range watcherQueue + 1 {
		post(r)
	}
	r.readAll()
	events := 0
	for range slow { // ends only because it was cut off
		events++
	}
	if events != watcherQueue || r.watch.any() {
		t.Errorf("%d events came, %v", events, r.watch.any())
	}
}

func TestHeadsAreBounded(t *testing.T) {
	r := New(Options{})
	many := make([]Field, 10_000)
	for i := range many {
		many[i] = Field{Name: strings.Repeat("n", 2000), Value: strings.Repeat("v", 2000)}
	}
	e := r.Begin(Request{Began: time.Now(), Method: strings.Repeat("M", 1<<20), Target: strings.Repeat("/", 1<<20), Host: strings.Repeat("h", 1<<20), Header: many})
	for range 1000 {
		e.Interim(103, seq(many))
	}
	e.Response(head(200, strings.Repeat("H", 1<<20)), seq(many))
	e.End(exchange.Facts{Ended: strings.Repeat("e", 1<<20)}, seq(many))
	record := get(t, r, e)
	if !record.Request.Cut || !record.Response.Cut || len(record.Request.Header) == 0 {
		t.Error("what was cut is not reported")
	}
	if size := len(asJSON(t, record)); size > 1<<20 {
		t.Errorf("%d bytes are told", size)
	}
}

func TestHostileBytesAreValidJSON(t *testing.T) {
	r := New(Options{})
	bad := "\x00\x1b[31m\xff\xfe</script>\u2028\"\\\r\n"
	e := r.Begin(Request{Began: time.Now(), Method: bad, Host: bad, Target: "/" + bad, Scheme: bad, Proto: bad, Header: []Field{{Name: bad, Value: bad}}})
	e.RequestData([]byte(bad))
	watched := watch(t, r, e.ID())
	e.Response(head(999, bad), testkit.Fields("Content-Type", bad))
	e.ResponseData([]byte(bad))
	e.End(exchange.Facts{Ended: bad, Error: bad}, testkit.Fields(bad, bad))
	everything(t, r)
	for _, event := range watched() {
		asJSON(t, event)
	}
	if got := get(t, r, e); string(got.Response.Body.Bytes) != bad || got.Request.Header[0].Value != bad {
		t.Errorf("bytes were changed: %+v", got)
	}
}

func TestTheNewestComeFirst(t *testing.T) {
	r := New(Options{})
	for range 3 {
		post(r).End(exchange.Facts{}, nil)
	}
	var ids []uint64
	for s := range r.Newest() {
		if ids = append(ids, s.ID); s.ID == 2 {
			break
		}
	}
	if !slices.Equal(ids, []uint64{3, 2}) {
		t.Errorf("%v", ids)
	}
}
