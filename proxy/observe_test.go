package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// recorded waits until the latest exchange is over.
func recorded(t *testing.T, n *notebook) (said string, e exchange.Facts) {
	t.Helper()
	testkit.Eventually(t, "the recording to end", func() (over bool) {
		said, e, over = n.last().ended()
		return over
	})
	return said, e
}

func TestRecordingHearsAllThatPassesButTheToken(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Is", "here")
		w.Header().Set("Trailer", "X-Known")
		w.WriteHeader(http.StatusAccepted)
		w.Write(append(body, " and back"...))
		w.Header().Set("X-Known", "before")
		w.Header().Set(http.TrailerPrefix+"X-Late", r.Trailer.Get("X-Sum"))
	}))
	notes := &notebook{}
	l := build(t, origin, roots, plan{source: static(), observe: Observer{Record: notes.record}})
	over(t, func(t *testing.T, client *http.Client) {
		r := request(t, "POST", l.url+"/x", io.MultiReader(strings.NewReader("there")))
		r.Trailer = http.Header{"X-Sum": {"5"}}
		hints := 0
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil },
		}))
		if got := do(t, client, r); string(got.body) != "there and back" || hints != 1 {
			t.Errorf("answered %q after %d hints", got.body, hints)
		}
		said, e := recorded(t, notes)
		lines := strings.Split(said, "\n")
		want := []string{"103 Link=</style>", "request ended X-Sum=5, <nil>", "202 X-Is=here", "ended X-Known=before X-Late=5"}
		for _, line := range want {
			if !strings.Contains(said, line) {
				t.Errorf("no %q in %q", line, lines)
			}
		}
		sent, answered := notes.last().bodies()
		if len(lines) != len(want) || sent != "there" || answered != "there and back" {
			t.Errorf("recorded %q, %q, %q", lines, sent, answered)
		}
		if testkit.HasCanary(said + sent + answered) {
			t.Error("the token was recorded")
		}
		if e.Upstream.Proto != "HTTP/2.0" || e.Error != "" || e.Ended != "" || e.FirstByte <= 0 || e.Took < e.FirstByte {
			t.Errorf("recorded %+v", e)
		}
	})
}

// TestRecordingKeepsUpWithTheStream has both directions open the whole time.
func TestRecordingKeepsUpWithTheStream(t *testing.T) {
	notes := &notebook{}
	l, _ := toSandbox(t, sandbox.Options{}, plan{observe: Observer{Record: notes.record}})
	over(t, func(t *testing.T, client *http.Client) {
		body, speech := io.Pipe()
		resp := testkit.Must(client.Do(request(t, "POST", l.url+"/sandbox/echo", body)))(t)
		defer resp.Body.Close()
		all := ""
		for _, word := range []string{"one ", "two ", "three"} {
			io.WriteString(speech, word)
			testkit.Must(io.ReadFull(resp.Body, make([]byte, len(word))))(t)
			all += word
			if sent, answered := notes.last().bodies(); sent != all || answered != all {
				t.Errorf("after %q: recorded %q and %q", all, sent, answered)
			}
		}
		notes.last().mu.Lock()
		soFar := notes.last().soFar
		notes.last().mu.Unlock()
		if soFar.Decision != exchange.Injected || soFar.Credential != "alexa" || soFar.Upstream.Conn != 1 || soFar.Upstream.Stream == 0 {
			t.Errorf("with the answer's head was known %+v", soFar)
		}
		speech.Close()
		io.Copy(io.Discard, resp.Body)
		recorded(t, notes)
	})
}

func TestBodiesOfTokenRequestsAreNotRecorded(t *testing.T) {
	notes := &notebook{}
	dummy := NewPlaceholderToken()
	origin, roots := upstreamTLS(t, http.NotFoundHandler())
	l := build(t, origin, roots, plan{
		source: static(), credential: Credential{Placeholder: dummy}, policy: Policy{AnswersTokens: true, TokenURL: "https://api.example.com/token"}, observe: Observer{Record: notes.record},
	})
	r := request(t, "POST", l.url+"/token", strings.NewReader("grant_type=client_credentials&client_secret=theirs"))
	do(t, h1Client(t), r)
	said, e := recorded(t, notes)
	if !strings.HasPrefix(said, "without bodies\n") || e.Decision != exchange.StoodIn {
		t.Errorf("%s: %q", e.Decision, said)
	}
}

func TestConnectionsAndStreamsAreNumbered(t *testing.T) {
	for name, change := range map[string]func(*httptest.Server){"HTTP/1.1": testkit.HTTP1, "HTTP/2.0": func(*httptest.Server) {}} {
		t.Run(name, func(t *testing.T) {
			origin, roots := upstreamTLS(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), change)
			l := build(t, origin, roots, plan{source: static()})
			do(t, h1Client(t), request(t, "GET", l.url, nil))
			do(t, h1Client(t), request(t, "GET", l.url, nil))
			first, second := l.ended(t, 1), l.ended(t, 2)
			want := exchange.ConnInfo{TLS: true, Address: origin, Proto: name, Conn: first.Upstream.Conn}
			if name == "HTTP/2.0" {
				want.Stream = 1
			}
			if first.Upstream != want || want.Conn == 0 || first.Tries != 1 || first.TLS <= 0 || first.Connect < first.TLS {
				t.Errorf("first: %+v", first)
			}
			want.Reused = true
			if name == "HTTP/2.0" {
				want.Stream = 3
			}
			if second.Upstream != want || second.Tries != 1 || second.TLS != 0 {
				t.Errorf("second: %+v", second)
			}
		})
	}
}

func TestTokensAreKnownByAgeAndName(t *testing.T) {
	l, amazon := toSandbox(t, sandbox.Options{}, plan{})
	do(t, h1Client(t), request(t, "GET", l.url+"/ping", nil))
	amazon.ExpireTokens()
	do(t, h1Client(t), request(t, "GET", l.url+"/ping", nil))
	first, second := l.ended(t, 1), l.ended(t, 2)
	if first.Credential != "alexa" || first.TokenAge < 0 || first.TokenLeft <= 0 || first.Tries != 1 || first.Replayed {
		t.Errorf("first: %+v", first)
	}
	if !second.Replayed || second.Tries != 2 || second.Token <= 0 || second.Ended != "" {
		t.Errorf("second: %+v", second)
	}
	eternal := build(t, l.route.Origin.String(), amazon.Pool(), plan{source: static()})
	do(t, h1Client(t), request(t, "GET", eternal.url+"/ping", nil))
	if e := eternal.ended(t, 1); e.TokenAge >= 0 || e.TokenLeft >= 0 {
		t.Errorf("of a token of which nothing is known: %v, %v", e.TokenAge, e.TokenLeft)
	}
}

func TestCutAnswersSayWhatTheUpstreamDid(t *testing.T) {
	for fault, want := range map[string]string{
		"":                      "",
		"cut-body=10":           upstreamLost,
		"rst=CANCEL":            "the upstream reset its stream (CANCEL)",
		"rst=ENHANCE_YOUR_CALM": "the upstream reset its stream (ENHANCE_YOUR_CALM)",
		"503":                   "",
	} {
		t.Run(fault, func(t *testing.T) {
			l, amazon := toSandbox(t, sandbox.Options{}, plan{})
			testkit.NoError(t, amazon.Faults().Replace(fault))
			resp := testkit.Must(h1Client(t).Do(request(t, "POST", l.url+"/sandbox/echo", strings.NewReader(strings.Repeat("sound", 20)))))(t)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if e := l.ended(t, 1); e.Ended != want {
				t.Errorf("ended: %q, want %q (%v)", e.Ended, want, e.Fault)
			}
		})
	}
}

func TestClientsThatHangUpAreRecorded(t *testing.T) {
	l, _ := toSandbox(t, sandbox.Options{}, plan{})
	over(t, func(t *testing.T, client *http.Client) {
		resp := testkit.Must(client.Do(request(t, "GET", l.url+"/sandbox/slow-multipart?n=2&gap=1h", nil)))(t)
		l.mu.Lock()
		n := len(l.exchanges)
		l.mu.Unlock()
		resp.Body.Close()
		if e := l.ended(t, n+1); e.Ended != clientHungUp || e.Fault != nil || e.Status != http.StatusOK {
			t.Errorf("ended: %+v", e)
		}
	})
}

func TestExchangeHasTheCodeOfTheProblem(t *testing.T) {
	l := build(t, "https://"+testkit.ClosedPort(t), nil, plan{source: static()})
	do(t, h1Client(t), request(t, "GET", l.url, nil))
	if e := l.ended(t, 1); e.Error != "upstream_unreachable" || e.Ended != "" || e.Tries != 0 {
		t.Errorf("%+v", e)
	}
}

// The provider's connection is not the upstream's.
func TestFailedTokenCallIsNotReportedAsTheUpstreamsEnd(t *testing.T) {
	source := &tokens.Source{
		Name: "alexa", Kind: "client_credentials", Unattended: true, Store: &tokens.MemoryStore{},
		Renew: func(context.Context, tokens.Grant) (tokens.Grant, error) {
			return tokens.Grant{}, &tokens.Error{Action: tokens.ActionRetry, Message: "the provider is not there", Err: io.ErrUnexpectedEOF}
		},
	}
	l := build(t, "https://"+testkit.ClosedPort(t), nil, plan{source: source})
	do(t, h1Client(t), request(t, "GET", l.url, nil))
	if e := l.ended(t, 1); e.Error != "token_refresh_failed" || e.Ended != "" {
		t.Errorf("ended: %+v", e)
	}
}

// A problem has a body, which a HEAD does not get.
func TestProblemInAnswerToHEADRecordsNoBody(t *testing.T) {
	notes := &notebook{}
	l := build(t, "https://"+testkit.ClosedPort(t), nil, plan{source: static(), observe: Observer{Record: notes.record}})
	over(t, func(t *testing.T, client *http.Client) {
		do(t, client, request(t, "HEAD", l.url, nil))
		if _, e := recorded(t, notes); e.Status != 502 || e.Written != 0 {
			t.Errorf("recorded %+v", e)
		}
		if _, answered := notes.last().bodies(); answered != "" {
			t.Errorf("recorded %q", answered)
		}
	})
}

func TestTunnelsAreKnownWhileTheyAreOpen(t *testing.T) {
	f := forwarding(t, "tunnel", false)
	host := echo(t)
	eachConnect(t, func(t *testing.T, connect connector) {
		conn, resp := connect(t, f, host)
		io.WriteString(conn, "hello")
		testkit.Must(io.ReadFull(conn, make([]byte, 5)))(t)
		d := f.others.last()
		d.mu.Lock()
		soFar := d.soFar
		d.mu.Unlock()
		if soFar.Status != 200 || soFar.Decision != exchange.Tunnelled || soFar.FirstByte <= 0 {
			t.Errorf("while it is open is known %+v", soFar)
		}
		if resp.ProtoMajor == 2 && resp.Header.Get(DecisionHeader) != "token=tunnelled" {
			t.Errorf("decision: %q", resp.Header.Get(DecisionHeader))
		}
		conn.Close()
		if _, e := recorded(t, &f.others); e.Sent != 5 || e.FirstByte != soFar.FirstByte || e.Took <= e.FirstByte {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestWebSocketsAreRecordedBySizeAlone(t *testing.T) {
	notes := &notebook{}
	origin, roots, _ := sockets(t)
	l := build(t, origin, roots, plan{source: static(), policy: Policy{WebSocket: true}, observe: Observer{Record: notes.record, DecisionHeader: true}})
	conn := l.open(t)
	conn.Write([]byte("hello"))
	testkit.Must(io.ReadFull(conn, make([]byte, 5)))(t)
	if said, _, _ := notes.last().ended(); !strings.Contains(said, "101 Avsproxy-Decision=route=avs, token=injected") {
		t.Errorf("while it is open was said %q", said)
	}
	conn.Close()
	_, e := recorded(t, notes)
	if sent, answered := notes.last().bodies(); sent+answered != "" || e.Written == 0 || e.Sent == 0 || e.Status != 101 {
		t.Errorf("recorded %q and %q of %+v", sent, answered, e)
	}
}
