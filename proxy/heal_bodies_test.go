package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// A picky upstream reads requests to their end, and then refuses all tokens but one.
type picky struct {
	mu      sync.Mutex
	good    string
	arrived []delivery
}

type delivery struct {
	token, body string
	trailer     http.Header
}

const refusalText = "not with that token"

func (p *picky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrived = append(p.arrived, delivery{token, string(body), r.Trailer})
	if token != p.good {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("X-Reason", "token")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, refusalText)
		w.Header().Set("X-Sum", "abc")
	}
}

func (p *picky) deliveries() []delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.arrived)
}

// A renewing source's tokens are the canary with a number behind it.
func renewing(renew func() error) *tokens.Source {
	source := static()
	source.Seed = starting(tokens.Grant{Kind: "static", Access: canary + "1", Refresh: "Atzr|x"})
	renewals := 1
	source.Renew = func(_ context.Context, old tokens.Grant) (tokens.Grant, error) {
		if err := renew(); err != nil {
			return tokens.Grant{}, err
		}
		renewals++
		old.Access, old.Renewed = tokens.Secret(fmt.Sprint(canary, renewals)), time.Now()
		return old, nil
	}
	return source
}

func works() error { return nil }

// toPicky is a line to an upstream that has stopped taking the first token.
func toPicky(t *testing.T, renew func() error, p plan, http1 bool) (*line, *picky) {
	t.Helper()
	upstream := &picky{good: canary + "2"}
	change := func(*httptest.Server) {}
	if http1 {
		change = testkit.HTTP1
	}
	origin, roots := upstreamTLS(t, upstream, change)
	p.source, p.credential.HealOn, p.options.SingleConnection = renewing(renew), []int{401, 403}, true
	return build(t, origin, roots, p), upstream
}

// eachWay runs a test with clients and upstreams of both protocols.
func eachWay(t *testing.T, test func(t *testing.T, client *http.Client, http1 bool)) {
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("upstreamHTTP1=%v", http1), func(t *testing.T) {
			over(t, func(t *testing.T, client *http.Client) { test(t, client, http1) })
		})
	}
}

func TestSmallBodiesAreSentAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, client *http.Client, http1 bool) {
		for _, size := range []int{1, 1000, keptMost} {
			for _, known := range []bool{true, false} {
				l, upstream := toPicky(t, works, plan{}, http1)
				a, body := post(t, client, l, size, known)
				got := upstream.deliveries()
				if a.StatusCode != http.StatusOK || len(got) != 2 {
					t.Fatalf("%d, known %v: %s after %d requests", size, known, a.Status, len(got))
				}
				for i, d := range got {
					if d.body != body || d.token != fmt.Sprint(canary, i+1) || !known && d.trailer.Get("X-Sum") != "abc" {
						t.Errorf("%d, known %v: request %d: %d bytes, %v", size, known, i+1, len(d.body), d.trailer)
					}
				}
				if !l.ended(t, 1).Replayed {
					t.Error("not recorded")
				}
			}
		}
	})
}

// post sends a body of its own, with trailers where its length is not announced.
func post(t *testing.T, client *http.Client, l *line, size int, known bool) (a answer, body string) {
	t.Helper()
	all, _ := io.ReadAll(sandbox.Bytes(int64(size)))
	r := request(t, "POST", l.url+"/things", bytes.NewReader(all))
	r.Header.Set("Content-Type", "application/json")
	if !known {
		r.ContentLength = -1
		r.Trailer = http.Header{"X-Sum": {"abc"}}
	}
	return do(t, client, r), string(all)
}

func TestARefusalOfALargeBodyPasses(t *testing.T) {
	eachWay(t, func(t *testing.T, client *http.Client, http1 bool) {
		for _, known := range []bool{true, false} {
			l, upstream := toPicky(t, works, plan{}, http1)
			a, body := post(t, client, l, keptMost+1, known)
			passed(t, l, a)
			if got := upstream.deliveries(); len(got) != 1 || got[0].body != body {
				t.Fatalf("known %v: %d requests", known, len(got))
			}
			if a, _ := post(t, client, l, keptMost+1, known); a.StatusCode != http.StatusOK {
				t.Errorf("the next request: %s", a.Status)
			}
		}
	})
}

// passed checks that a line's first request was answered by the upstream's refusal,
// as it was.
func passed(t *testing.T, l *line, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusForbidden || string(a.body) != refusalText || a.Header.Get("X-Reason") != "token" || a.Trailer.Get("X-Sum") != "abc" {
		t.Errorf("%s %q %v %v", a.Status, a.body, a.Header, a.Trailer)
	}
	if e := l.ended(t, 1); e.Replayed || e.Fault != nil {
		t.Errorf("%+v", e)
	}
}

// Nobody wants to hear the answer to what was said a renewal ago.
func TestStreamedSpeechIsNeverSentAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, client *http.Client, http1 bool) {
		for _, kind := range []string{"multipart/form-data; boundary=B", "Multipart/Form-Data;boundary=B"} {
			renewals := 0
			l, upstream := toPicky(t, func() error { renewals++; return nil }, plan{}, http1)
			speak := func() answer {
				r := request(t, "POST", l.url+"/v20160207/events", io.MultiReader(strings.NewReader("--B--")))
				r.Header.Set("Content-Type", kind)
				return do(t, client, r)
			}
			passed(t, l, speak())
			if a := speak(); a.StatusCode != http.StatusOK {
				t.Errorf("the next request: %s", a.Status)
			}
			if n := len(upstream.deliveries()); n != 2 || renewals != 1 {
				t.Errorf("%d requests, %d renewals", n, renewals)
			}
		}
	})
}

// The upload is not waited for: the refusal goes through while it goes on.
func TestARefusalOfAnUploadUnderWayPasses(t *testing.T) {
	over(t, func(t *testing.T, client *http.Client) {
		l, s := toSandbox(t, sandbox.Options{}, plan{})
		s.ExpireTokens()
		upload, sent := io.Pipe()
		defer sent.Close()
		r := request(t, "POST", l.url+"/sandbox/echo", upload)
		r.Header.Set("Content-Type", "application/json")
		if a := do(t, client, r); a.StatusCode != http.StatusForbidden { // which waits for the answer's end
			t.Error(a.Status)
		}
		if n := len(s.Ledger()); n != 1 || l.ended(t, 1).Replayed {
			t.Errorf("%d requests", n)
		}
	})
}

// Whoever did not wait for it may get none (RFC 9110 section 10.1.1).
func TestRequestThatIsSentAgainGetsOne100Continue(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		l, upstream := toPicky(t, works, plan{}, http1)
		conn := testkit.Dial(t, l.addr)
		io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody")
		all, err := io.ReadAll(conn)
		if n := strings.Count(string(all), "100 Continue"); err != nil || n > 1 || !strings.Contains(string(all), "HTTP/1.1 200") {
			t.Errorf("%d times, %v: %s", n, err, all)
		}
		if got := upstream.deliveries(); len(got) != 2 || got[1].body != "body" {
			t.Errorf("%v", got)
		}
	}
}
