package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func cut(int, url.Values) (*http.Response, error) {
	resp := reply(200, jsonType, "")
	resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"access_token":"`+canary), iotest.ErrReader(io.ErrUnexpectedEOF)))
	return resp, nil
}

func hang(int, url.Values) (*http.Response, error) {
	return nil, context.DeadlineExceeded // what a transport says when the deadline is over
}

func noName(int, url.Values) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "provider.test", IsNotFound: true}}
}

// outages are the answers that say nothing about the login.
var outages = []struct {
	name   string
	answer func(int, url.Values) (*http.Response, error)
	action Action
	wait   time.Duration // Retry-After; zero = our own back-off
	say    string
}{
	{"500 HTML", answering(500, "text/html", "<h1>sorry "+canary), ActionRetry, 0, "(500"},
	{"500 with an OAuth error", answering(500, jsonType, `{"error":"invalid_grant"}`), ActionRetry, 0, "(500"},
	{"503", answering(503, "text/plain", ""), ActionRetry, 0, "(503"},
	{"503 Retry-After", answering(503, "text/plain", "", "Retry-After", "120"), ActionWait, 2 * time.Minute, "(503"},
	{"429 Retry-After", answering(429, jsonType, `{"error":"throttling"}`, "Retry-After", "42"), ActionWait, 42 * time.Second, "(429"},
	{"429", answering(429, jsonType, `{"error":"throttling"}`), ActionWait, 0, "(429"},
	{"Retry-After a year", answering(503, "", "", "Retry-After", "31536000"), ActionWait, time.Hour, "(503"},
	{"Retry-After beyond 32 bits", answering(503, "", "", "Retry-After", "9999999999"), ActionWait, time.Hour, "(503"},
	{"Retry-After in 9999", answering(503, "", "", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"), ActionWait, time.Hour, "(503"},
	{"Retry-After nonsense", answering(503, "", "", "Retry-After", "-5"), ActionRetry, 0, "(503"},
	{"cut answer", cut, ActionRetry, 0, "broke off"},
	{"refused connection", down, ActionRetry, 0, "could not be used"},
	{"DNS", noName, ActionRetry, 0, "no such host"},
	{"timeout", hang, ActionRetry, 0, "did not answer in time"},
	{"200 HTML", answering(200, "text/html", "<h1>welcome to our wifi "+canary), ActionRetry, 0, "captive portal"},
	{"200 empty", answering(200, jsonType, ""), ActionRetry, 0, "broke off, or was none"},
	{"200 null", answering(200, jsonType, "null"), ActionRetry, 0, "captive portal"},
	{"200 without a token", answering(200, jsonType, `{"token_type":"bearer"}`), ActionRetry, 0, "captive portal"},
	{"200 with an error", answering(200, jsonType, `{"error":"server_error"}`), ActionRetry, 0, "(200"},
	{"200 with a token for no header", answering(200, jsonType, `{"access_token":"a\r\nX: `+canary+`"}`), ActionRetry, 0, "no usable answer"},
	{"200 broken form", answering(200, "text/plain", "access_token="+canary+"%zz"), ActionRetry, 0, "captive portal"},
	{"redirect", answering(302, "text/html", "", "Location", "https://portal.test/login"), ActionRetry, 0, "(302"},
	{"redirect that keeps the method", answering(307, "text/html", "", "Location", "https://portal.test/login"), ActionRetry, 0, "(307"},
	{"bad redirect", answering(307, "text/html", "", "Location", "%zz"+canary), ActionRetry, 0, "(307"},
	{"400 HTML", answering(400, "text/html", "invalid_grant"), ActionRetry, 0, "(400"},
	{"401 HTML", answering(401, "text/html", ""), ActionRetry, 0, "(401"},
	{"403 access_denied", answering(403, jsonType, `{"error":"access_denied"}`), ActionRetry, 0, "(403"},
	{"408 invalid_grant", answering(408, jsonType, `{"error":"invalid_grant"}`), ActionRetry, 0, "(408"},
	{"429 invalid_grant", answering(429, jsonType, `{"error":"invalid_grant"}`), ActionWait, 0, "(429"},
	{"400 HTML that names it", answering(400, "text/html", `<pre>{"error":"invalid_grant"}</pre>`), ActionRetry, 0, "(400"},
	{"400 temporarily_unavailable", answering(400, jsonType, `{"error":"temporarily_unavailable"}`), ActionRetry, 0, "temporarily_unavailable"},
	{"400 ServerError", answering(400, jsonType, `{"error":"ServerError"}`), ActionRetry, 0, "servererror"},
}

func TestOutageNeverCostsTheLogin(t *testing.T) {
	for _, c := range outages {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), holding(t, stored(-time.Second))
				p.now(c.answer)
				source := open(t, p, store)
				e := refused(t, source)
				if e.Action != c.action || e.Hint == "" || !strings.Contains(e.Error(), c.say) {
					t.Errorf("%s: %v", e.Action, e)
				}
				checkSilent(t, e)
				if e.RetryAfter < backoffFirst/2 || c.wait > 0 && e.RetryAfter != c.wait {
					t.Errorf("RetryAfter %v, want %v", e.RetryAfter, c.wait)
				}
				if got := source.Status(); got.State != StateFailing || got.Failure == nil {
					t.Errorf("state %s", got.State)
				}
				if got := load(t, store); !got.sameTokens(stored(0)) || got.Refused != "" {
					t.Error("the stored login changed")
				}
				checkRecovery(t, p, source, e.RetryAfter)
			})
		})
	}
}

// checkRecovery finds that nobody asks the provider before wait is over, and
// that the first to ask after it gets a token.
func checkRecovery(t *testing.T, p *provider, source *Source, wait time.Duration) {
	t.Helper()
	p.now(rotating)
	time.Sleep(wait - 1)
	if e := refused(t, source); p.calls() != 1 || e.RetryAfter != 1 {
		t.Errorf("%d calls before the time was up; still to wait: %v", p.calls(), e.RetryAfter)
	}
	time.Sleep(time.Nanosecond)
	if got := mustToken(t, source); got != "access-2" || p.last().Get("refresh_token") != "refresh-0" {
		t.Errorf("after the outage: %s with %s", got.Reveal(), p.last().Get("refresh_token"))
	}
	if got := source.Status(); got.State != StateReady || got.Failure != nil {
		t.Errorf("after the outage: %+v", got)
	}
}

// checkSilent finds no secret and nothing of an answer's body in an error.
func checkSilent(t *testing.T, e *Error) {
	t.Helper()
	for _, text := range []string{e.Error(), e.Hint, e.Code, fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", *e), fmt.Sprint(errors.Unwrap(e))} {
		testkit.NoCanary(t, "the error", text)
		for _, secret := range []string{"access-", "refresh-", "<h1>"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	}
}

func TestLiveTokenServesOnWhileTheProviderIsDown(t *testing.T) {
	for _, c := range outages {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), holding(t, stored(4*time.Minute))
				p.now(c.answer)
				for range 2 { // the second one is another process, after a restart
					source := open(t, p, store)
					for range 100 {
						if got := mustToken(t, source); got != "access-0" {
							t.Fatal(got.Reveal())
						}
						time.Sleep(time.Second)
					}
					if got := source.Status(); got.State != StateReady || got.Failure == nil {
						t.Errorf("%+v", got)
					}
				}
				time.Sleep(time.Minute)
				if e := refused(t, open(t, p, store)); e.Action != c.action {
					t.Error(e)
				}
			})
		})
	}
}

func TestBackOffGrowsAndIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		var at []time.Time
		p.now(func(int, url.Values) (*http.Response, error) {
			at = append(at, time.Now())
			return nil, errDown
		})
		source := open(t, p, holding(t, stored(-time.Second)))
		for range 10 * 3600 {
			refused(t, source)
			refused(t, source)
			time.Sleep(100 * time.Millisecond)
		}
		if len(at) < 10 || len(at) > 60 {
			t.Errorf("%d token calls in an hour of 72000 requests", len(at))
		}
		for i := 1; i < len(at); i++ {
			gap, ceiling := at[i].Sub(at[i-1]), min(time.Second<<min(i-1, 9), 5*time.Minute)
			if gap < 500*time.Millisecond || gap > ceiling+600*time.Millisecond {
				t.Errorf("gap %d is %v; at most %v", i, gap, ceiling)
			}
		}
	})
}

// The errors of real connections are not those of stubs.
func TestRealConnectionsThatFail(t *testing.T) {
	elsewhere := testkit.Server(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		say     string
	}{
		"cut before the answer": {func(w http.ResponseWriter, r *http.Request) { speak(w, "") }, "broke off"},
		"cut in the answer": {func(w http.ResponseWriter, r *http.Request) {
			speak(w, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"acc"+canary)
		}, "broke off"},
		"no HTTP":    {func(w http.ResponseWriter, r *http.Request) { speak(w, "HELLO "+canary+"\r\n\r\n") }, "broke off"},
		"bad header": {func(w http.ResponseWriter, r *http.Request) { speak(w, "HTTP/1.1 200 OK\r\n"+canary+"\r\n\r\n") }, "broke off"},
		"silence":    {silence, "in time"},
		"redirect":   {http.RedirectHandler(elsewhere.URL, http.StatusPermanentRedirect).ServeHTTP, "(308"},
	} {
		t.Run(name, func(t *testing.T) {
			server := testkit.Server(t, c.handler)
			client := &Client{ID: "client", TokenURL: server.URL, HTTP: server.Client()}
			if name == "silence" {
				client.HTTP.Timeout = 200 * time.Millisecond
			}
			_, err := client.Refresh(t.Context(), stored(0))
			var e *Error
			if !errors.As(err, &e) || e.Action != ActionRetry || !strings.Contains(e.Error(), c.say) {
				t.Fatal(err)
			}
			checkSilent(t, e)
		})
	}
	client := &Client{ID: "client", TokenURL: "https://127.0.0.1:1"}
	if _, err := client.Refresh(t.Context(), stored(0)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

func silence(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // before that the server does not notice who hangs up
	<-r.Context().Done()
}

// speak sends raw bytes as the answer and hangs up.
func speak(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(conn, text)
	conn.Close()
}

func TestStrangersCertificateIsAnOutage(t *testing.T) {
	server := testkit.TLSServer(t, http.NotFoundHandler(), testkit.HTTP1)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &Client{ID: "client", TokenURL: server.URL, HTTP: &http.Client{Transport: transport}}
	_, err := client.Refresh(t.Context(), stored(0))
	var e *Error
	if !errors.As(err, &e) || e.Action != ActionRetry || !strings.Contains(e.Error(), "certificate") {
		t.Error(err)
	}
}
