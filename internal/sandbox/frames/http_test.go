package frames

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
)

func TestRequestAsHandlersSeeIt(t *testing.T) {
	var seen *http.Request
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		w.Header().Set("X-One", "1")
		io.WriteString(w, "hello")
	})
	answer, text := get(t, newClient(t), url+"/a%2Fb?c=d")
	if answer.Proto != "HTTP/2.0" || text != "hello" || answer.ContentLength != 5 || answer.Header.Get("X-One") != "1" || answer.Header.Get("Date") == "" {
		t.Errorf("%v %q", answer, text)
	}
	if seen.Method != "GET" || seen.RequestURI != "/a%2Fb?c=d" || seen.URL.Path != "/a/b" || "https://"+seen.Host != url || seen.Proto != "HTTP/2.0" {
		t.Errorf("%+v", seen)
	}
	if seen.TLS == nil || seen.TLS.NegotiatedProtocol != "h2" || seen.RemoteAddr == "" || seen.ContentLength != 0 {
		t.Errorf("%+v", seen)
	}
	s := FromContext(seen.Context())
	if s.ID() != 1 || s.Conn().ID() != 1 || s.Fields()[0].Name[0] != ':' || FromContext(t.Context()) != nil {
		t.Errorf("stream %d of connection %d: %v", s.ID(), s.Conn().ID(), s.Fields())
	}
}

// echo answers each piece as it comes.
func echo(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	control.EnableFullDuplex()
	control.Flush()
	piece := make([]byte, 10_000)
	for {
		n, err := r.Body.Read(piece)
		w.Write(piece[:n])
		control.Flush()
		if err != nil {
			return
		}
	}
}

func TestEchoInFullDuplex(t *testing.T) {
	sent := make([]byte, 1<<20)
	rand.Read(sent)
	in, out := io.Pipe()
	answer, err := newClient(t).Post(serveHTTP(t, echo), "", in)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got := make([]byte, 1000)
	for i := 0; i < len(sent); i += 1000 * 64 { // a reply must come before the next question
		part := sent[i : i+1000]
		out.Write(part)
		if _, err := io.ReadFull(answer.Body, got); err != nil || !bytes.Equal(got, part) {
			t.Fatal("not what was sent", err)
		}
	}
	go func() { out.Write(sent); out.Close() }()
	all, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Equal(all, sent) {
		t.Errorf("%d bytes back, %v", len(all), err)
	}
}

func TestTrailersBothWays(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		if _, announced := r.Trailer["X-Sum"]; !announced {
			t.Error("the trailer was not announced")
		}
		io.Copy(w, r.Body)
		w.Header().Set("X-Announced", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	request, _ := http.NewRequest("POST", url, io.MultiReader(strings.NewReader("body")))
	request.Trailer = http.Header{"X-Sum": {"1"}}
	answer, err := newClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || string(text) != "body" || answer.Trailer.Get("X-Announced") != "1" || answer.Trailer.Get("X-Late") != "2" {
		t.Errorf("%q %v %v", text, answer.Trailer, err)
	}
}

func TestInformationalAnswers(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		for range 3 {
			w.WriteHeader(http.StatusEarlyHints)
		}
		io.Copy(w, r.Body)
	})
	var seen []int
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints && header.Get("Link") == "" {
			t.Error("103 without its field")
		}
		seen = append(seen, code)
		return nil
	}}
	request, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", url, strings.NewReader("x"))
	request.Header.Set("Expect", "100-continue")
	answer, err := newClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if want := []int{103, 103, 103, 100}; fmt.Sprint(seen) != fmt.Sprint(want) || answer.StatusCode != 200 {
		t.Errorf("%v, want %v; then %s", seen, want, answer.Status)
	}
}

func TestAnswersWithoutBody(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/204" {
			w.WriteHeader(http.StatusNoContent)
		}
		if _, err := io.WriteString(w, "text"); (err != nil) != (r.URL.Path == "/204") {
			t.Error(err)
		}
	})
	c := newClient(t)
	answer, text := get(t, c, url+"/204")
	if answer.StatusCode != 204 || text != "" || answer.Header.Get("Content-Length") != "" {
		t.Errorf("%v %q", answer, text)
	}
	answer, err := c.Head(url)
	if err != nil || answer.ContentLength != 4 {
		t.Errorf("%v %v", answer, err)
	}
}

func TestMoreThanDeclaredIsNotSent(t *testing.T) {
	_, text := get(t, newClient(t), serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		io.WriteString(w, "ok")
		if _, err := io.WriteString(w, "more"); err != http.ErrContentLength {
			t.Error(err)
		}
	}))
	if text != "ok" {
		t.Errorf("%q", text)
	}
}

func TestManyStreamsAtOnce(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if FromContext(r.Context()).Conn().ID() != 1 {
			t.Error("more than one connection")
		}
		io.Copy(w, r.Body)
	})
	c := newClient(t)
	get(t, c, url) // so that all share the connection
	var asked sync.WaitGroup
	for i := range 50 {
		asked.Go(func() {
			body := strings.Repeat(fmt.Sprint(i, ","), 20_000)
			answer, err := c.Post(url, "", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			if text, err := io.ReadAll(answer.Body); err != nil || string(text) != body {
				t.Errorf("%d: %d bytes, %v", i, len(text), err)
			}
		})
	}
	asked.Wait()
}

func TestHandlerSeesTheClientGiveUp(t *testing.T) {
	cause := make(chan error, 1)
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		_, err := r.Body.Read(make([]byte, 1))
		if err == nil || err == io.EOF {
			t.Errorf("reading after the reset: %v", err)
		}
		cause <- context.Cause(r.Context())
	})
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	defer out.Close()
	request, _ := http.NewRequestWithContext(ctx, "POST", url, in)
	answer, err := newClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	answer.Body.Close() // the transport waits for the upload else
	if err := <-cause; !strings.Contains(err.Error(), "CANCEL; reset by the client") {
		t.Error(err)
	}
}

func TestCookieCrumbsAreJoined(t *testing.T) {
	cookies := make(chan string, 1)
	r := dial(t, &Server{Handler: HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cookies <- r.Header.Get("Cookie") }))})
	r.request(1, true, "cookie", "a=1", "cookie", "b=2")
	r.wantStatus(1, "200")
	if got := <-cookies; got != "a=1; b=2" {
		t.Errorf("%q", got)
	}
}

func TestConnectAndBadPaths(t *testing.T) {
	r := dial(t, &Server{Handler: HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "localhost:1" || r.URL.Host != "localhost:1" || r.URL.Path != "" {
			t.Errorf("%q %v", r.RequestURI, r.URL)
		}
		w.(http.Flusher).Flush()
		r.Body.Close()
		if _, err := r.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
			t.Error(err)
		}
	}))})
	r.fields(1, false, ":method", "CONNECT", ":authority", "localhost:1")
	r.wantStatus(1, "200")
	r.fields(3, true, ":method", "GET", ":scheme", "https", ":path", "/%zz")
	r.wantStatus(3, "400")
}

// What may not be sent is left out, and what net/http lets handlers decide is
// theirs to decide.
func TestFieldsOfAnAnswer(t *testing.T) {
	r := dial(t, &Server{Handler: HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header()["b"] = []string{"1", "2"}
		w.Header().Set("A", "0")
		w.Header().Set("Connection", "close")
		w.Header().Set("X-Bad", "a\nb")
		w.WriteHeader(202)
		w.WriteHeader(500)
		w.Header().Set("X-Late", "too late")
	}))})
	r.request(1, true)
	f := expect[*http2.MetaHeadersFrame](r)
	if got, want := fmt.Sprint(f.Fields), `[header field ":status" = "202" header field "a" = "0" header field "b" = "1" header field "b" = "2" header field "content-length" = "0"]`; got != want || !f.StreamEnded() {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
