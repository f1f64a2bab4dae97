package capture

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

// recorded returns the record of an exchange that do fed.
func recorded(t *testing.T, request Request, facts exchange.Facts, do func(*Exchange)) Record {
	t.Helper()
	r := New(Options{Body: 100})
	request.Began = time.Now()
	e := r.Begin(request)
	do(e)
	e.RequestEnd(nil, nil)
	e.End(facts, nil)
	return get(t, r, e)
}

func TestHARMatchesItsSchema(t *testing.T) {
	usual := Request{Method: "POST", Scheme: "https", Host: "localhost:9744", Target: "/events?a=1&b=%20x&&c", Proto: "HTTP/2.0", Header: []Field{{Name: "Content-Type", Value: "multipart/form-data; boundary=B"}}}
	answer := func(e *Exchange) {
		e.RequestData([]byte("--B\r\n\r\n{}\r\n--B--"))
		e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "audio/mpeg", "Location", "/x"))
		e.ResponseData([]byte{0xFF, 0xFB, 0x90})
	}
	hostile := "\x00\xff \"<>%zz\r\n"
	records := []Record{
		recorded(t, usual, exchange.Facts{Upstream: exchange.ConnInfo{Conn: 3}, Took: time.Second}, answer),
		recorded(t, Request{Host: "[[::1]:9744", Target: "http://:x:y/"}, exchange.Facts{}, func(*Exchange) {}),
		recorded(t, Request{Method: "CONNECT", Scheme: "http", Host: "a:1", Target: "b:443"}, exchange.Facts{Ended: "the client hung up"}, func(*Exchange) {}),
		recorded(t, Request{Method: hostile, Scheme: "http", Host: "h" + hostile, Target: "/" + hostile, Header: []Field{{Name: hostile, Value: hostile}}}, exchange.Facts{Ended: hostile}, func(e *Exchange) {
			e.Interim(103, testkit.Fields(hostile, hostile))
			e.RequestData([]byte(hostile))
			e.Response(head(-5, hostile), testkit.Fields("Content-Type", hostile))
			e.ResponseData([]byte(strings.Repeat("é", 100)))
		}),
		recorded(t, Request{Scheme: "http", Host: "x", Target: "http://y.example/?q"}, exchange.Facts{}, func(e *Exchange) {
			e.Response(head(200, "HTTP/1.1"), testkit.Fields("Content-Type", "text/event-stream"))
		}),
	}
	log := checkHAR(t, har(t, records...))["log"].(map[string]any)
	if got := len(log["entries"].([]any)); got != len(records) {
		t.Errorf("%d entries", got)
	}
	checkHAR(t, har(t))
}

func TestHARHasBodiesAndExtensions(t *testing.T) {
	record := recorded(t, Request{Method: "POST", Scheme: "http", Host: "localhost", Target: "/e?a=1&b=%20x", Proto: "HTTP/1.1", Header: []Field{{Name: "Content-Type", Value: "text/x"}}},
		exchange.Facts{Upstream: exchange.ConnInfo{Conn: 7}}, func(e *Exchange) {
			e.RequestData([]byte(strings.Repeat("é", 100)))
			e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "audio/mpeg"))
			e.ResponseData([]byte{0xFF, 0xFB, 0x90})
		})
	entry := newHAREntry(record)
	got := map[string]any{
		"post": *entry.Request.PostData, "query": entry.Request.Query, "url": entry.Request.URL, "content": entry.Response.Content,
		"transfer": entry.Response.TransferSize, "resource": entry.Resource, "connection": entry.Conn, "sent": entry.Request.BodySize,
	}
	want := map[string]any{
		"post": harPostData{Type: "text/x", Text: strings.Repeat("é", 50), Comment: "the first 100 of 200 bytes"}, "sent": int64(200),
		"query": []harPair{{"a", "1"}, {"b", " x"}}, "url": "http://localhost/e?a=1&b=%20x",
		"content": harContent{Size: 3, Type: "audio/mpeg", harText: harText{Text: "//uQ", Encoding: "base64"}}, "transfer": int64(3), "resource": "fetch", "connection": "7",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(harPostData{}, harContent{})); diff != "" {
		t.Error(diff)
	}
}

// HAR 1.2 has an encoding for response bodies but not for request bodies.
func TestHARSaysByAFieldOfOursThatAnUploadIsNoText(t *testing.T) {
	record := recorded(t, Request{Method: "POST", Scheme: "http", Host: "localhost", Target: "/", Proto: "HTTP/1.1"}, exchange.Facts{}, func(e *Exchange) {
		e.RequestData([]byte{0xFF, 0xFB, 0x90})
	})
	text, err := json.Marshal(newHAREntry(record).Request.PostData)
	if want := `{"mimeType":"","text":"//uQ","_encoding":"base64"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}

func TestHARTimesAddUp(t *testing.T) {
	for _, timing := range []Timing{
		{}, {Total: 10}, {Guard: 1, Token: 2, Connect: 3, FirstByte: 8, Total: 10}, {Token: 20, Connect: 20, FirstByte: 5, Total: 10},
		{FirstByte: 12, Total: 10}, {Token: 4, Total: 10},
	} {
		got := newHARTimings(timing)
		sum := got.Blocked + got.Send + got.Wait + got.Receive + max(0, got.Connect)
		if math.Abs(sum-timing.Guard-timing.Total) > 1e-9 || got.Wait < 0 || got.Receive < 0 {
			t.Errorf("%+v: %+v", timing, got)
		}
	}
	got := newHARTimings(Timing{Guard: 1, Token: 2, Connect: 3, TLS: 2, FirstByte: 8, Total: 10})
	if want := (harTimings{Blocked: 3, DNS: -1, Connect: 3, SSL: 2, Wait: 3, Receive: 2}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestHAROfAnActiveExchangeHasNoSize(t *testing.T) {
	r := New(Options{})
	e := post(r)
	e.Response(head(200, "HTTP/2.0"), nil)
	e.ResponseData([]byte("so far"))
	entry := newHAREntry(get(t, r, e))
	if entry.Response.BodySize != -1 || entry.Response.Content.Text != "so far" {
		t.Errorf("%+v", entry.Response)
	}
}

// A failingWriter fails after the first write.
type failingWriter struct {
	writes int
	err    error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.writes++; w.writes > 1 {
		return 0, w.err
	}
	return len(p), nil
}

// An error of the writer ends WriteHAR.
func TestHAREndsWithItsReader(t *testing.T) {
	gone := errors.New("gone")
	writer := &failingWriter{err: gone}
	records := slices.Repeat([]Record{{}}, 3)
	asked := 0
	err := WriteHAR(writer, "avsproxy", func(yield func(Record) bool) {
		for _, r := range records {
			asked++
			if !yield(r) {
				return
			}
		}
	})
	if !errors.Is(err, gone) || asked != 1 {
		t.Errorf("%v after %d records", err, asked)
	}
	if !json.Valid([]byte(har(t, records...))) {
		t.Error("no JSON")
	}
}
