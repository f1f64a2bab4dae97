package proxy

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"avsproxy/internal/upstream"

	"github.com/google/go-cmp/cmp"
)

// A sample is an exchange of which every field is to arrive as it was sent, in the
// order of those with one name.
type sample struct {
	method string
	ask    http.Header
	status int
	answer http.Header
	body   string
}

var samples = map[string]sample{
	"nothing said": {method: "GET", status: 200, body: "<html>looks like a page</html>"},
	"several fields of one name": {
		method: "GET", ask: http.Header{"X-Twice": {"b", "a, c", "b"}, "Accept": {"text/html", "*/*;q=0.1"}, "X-Empty": {""}}, status: 200,
		answer: http.Header{"X-Twice": {"b", "a, c", "b"}, "Set-Cookie": {"b=2; Path=/", "a=1", "b=3"}, "Link": {"</b>", "</a>"}, "X-Empty": {""}},
	},
	"range": {
		method: "GET", ask: http.Header{"Range": {"bytes=0-3, 8-"}, "If-Range": {`"e-tag"`}}, status: 206,
		answer: http.Header{"Content-Range": {"bytes 0-3/12345"}, "Etag": {`"e-tag"`}, "Accept-Ranges": {"bytes"}, "Content-Length": {"4"}}, body: "four",
	},
	"no such range": {
		method: "GET", ask: http.Header{"Range": {"bytes=20000-"}}, status: 416,
		answer: http.Header{"Content-Range": {"bytes */12345"}, "Content-Length": {"0"}},
	},
	"not modified": {
		method: "GET", ask: http.Header{"If-None-Match": {`W/"e-tag", "other"`}, "If-Modified-Since": {"Sun, 06 Nov 1994 08:49:37 GMT"}}, status: 304,
		answer: http.Header{"Etag": {`W/"e-tag"`}, "Cache-Control": {"max-age=60"}, "Vary": {"Accept", "Cookie"}},
	},
	"HEAD":         {method: "HEAD", status: 200, answer: http.Header{"Content-Length": {"12345"}, "Content-Type": {"audio/mpeg"}}},
	"HEAD of none": {method: "HEAD", status: 404, answer: http.Header{"Content-Length": {"9"}}},
	"packed": {
		method: "GET", ask: http.Header{"Accept-Encoding": {"gzip;q=0.5, br"}}, status: 200,
		answer: http.Header{"Content-Encoding": {"gzip"}, "Content-Length": {"22"}}, body: "\x1f\x8b\x08 not to be unpacked",
	},
	"unquoted types": {
		method: "POST", ask: http.Header{"Content-Type": {"multipart/form-data;boundary=--a=b/c?d:e; charset = UTF-8"}}, status: 200,
		answer: http.Header{"Content-Type": {"multipart/related;boundary=------abcde123;type=application/json; start=<metadata.1>"}}, body: "--",
	},
	"types that are none": {
		method: "POST", ask: http.Header{"Content-Type": {"audio/L16; rate=16000; channels=1; ;"}}, status: 200,
		answer: http.Header{"Content-Type": {""}}, body: "<html>",
	},
}

// serveSamples answers with the sample of the path, and tells what arrived.
func serveSamples(arrived chan<- http.Header) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- r.Header
		s := samples[r.URL.Query().Get("sample")]
		w.Header()["Content-Type"] = nil // or net/http would guess one
		w.Header()["Date"] = nil
		maps.Copy(w.Header(), s.answer)
		w.WriteHeader(s.status)
		if s.method != "HEAD" {
			io.WriteString(w, s.body)
		}
	})
}

func TestFieldsArriveAsTheyWereSent(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		arrived := make(chan http.Header, 1)
		origin, roots := upstreamTLS(t, serveSamples(arrived), func(server *httptest.Server) { server.EnableHTTP2 = !http1 })
		l := build(t, origin, roots, plan{source: static(), options: upstream.Options{SingleConnection: true}})
		for name, s := range samples {
			t.Run(fmt.Sprintf("upstreamHTTP1=%v/%s", http1, name), func(t *testing.T) {
				over(t, func(t *testing.T, client *http.Client) { s.exchange(t, client, l, name, arrived) })
			})
		}
	}
}

func (s sample) exchange(t *testing.T, client *http.Client, l *line, name string, arrived <-chan http.Header) {
	r := request(t, s.method, l.url+"/?sample="+strings.ReplaceAll(name, " ", "+"), nil)
	if s.method == "POST" {
		r = request(t, s.method, r.URL.String(), strings.NewReader("body"))
	}
	r.Header["User-Agent"] = nil // or the client would add one
	maps.Copy(r.Header, s.ask)
	a := do(t, client, r)

	ask := without(<-arrived, "Authorization", "Content-Length", "Te")
	if diff := cmp.Diff(without(s.ask), ask); diff != "" {
		t.Errorf("sent (-), arrived at the upstream (+):\n%s", diff)
	}
	answer := without(a.Header, "Date")
	if s.answer.Get("Content-Length") == "" {
		delete(answer, "Content-Length") // whoever sends a body may say how long it is
	}
	if diff := cmp.Diff(without(s.answer), answer); diff != "" {
		t.Errorf("answered (-), arrived at the client (+):\n%s", diff)
	}
	if a.StatusCode != s.status || s.method != "HEAD" && string(a.body) != s.body {
		t.Errorf("%s %q", a.Status, a.body)
	}
	if length, _ := strconv.ParseInt(s.answer.Get("Content-Length"), 10, 64); length > 0 && a.ContentLength != length {
		t.Errorf("length %d", a.ContentLength)
	}
}

// without is a copy of header less the fields named.
func without(header http.Header, names ...string) http.Header {
	rest := http.Header{}
	maps.Copy(rest, header)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}
