package tokens

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// The whole answer is there, but its end does not come (Content-Length too large, or a server that
// does not close): nothing is saved for five minutes.
func TestWholeAnswerWithoutItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		r, w := io.Pipe()
		p.now(always(func() (*http.Response, error) {
			resp := reply(200, jsonType, "")
			resp.Body = r
			go io.WriteString(w, whole)
			time.AfterFunc(5*time.Minute, func() { w.CloseWithError(io.ErrUnexpectedEOF) }) // as the request's context does
			return resp, nil
		}))
		s := open(t, p, store)
		_, err := s.Token(t.Context())
		if err != nil {
			t.Errorf("callers get %v", err)
		}
		if got := load(t, store); got.Refresh != "refresh-1" {
			t.Errorf("30 s after the whole answer came the store holds %q: a kill now loses the login", got.Refresh.Reveal())
		}
		_ = s.AwaitRenewal(t.Context())
	})
}

func TestResetsOfAnHTTP2TokenAnswer(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"reset after the body": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, whole)
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
			panic(http.ErrAbortHandler)
		},
		"reset after the head": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		srv := testkit.TLSServer(t, h)
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true}
		c := &Client{ID: "client", TokenURL: srv.URL + "/token", HTTP: &http.Client{Transport: tr}}
		store := FileStore{Dir: t.TempDir()}
		g := stored(-time.Second)
		g.Issuer = c.TokenURL
		testkit.NoError(t, store.Save("alexa", g))
		s := &Source{Name: "alexa", Store: store, Renew: c.Refresh, Matches: c.Matches}
		testkit.NoError(t, s.Load())
		_, err := s.Token(t.Context())
		t.Logf("%s: %s %v", name, load(t, store).Refresh.Reveal(), err)
	}
}

func TestDuplicateAndMalformedMembersOfTokenAnswers(t *testing.T) {
	for name, text := range map[string]string{
		"null behind":             `{"access_token":"a","refresh_token":"refresh-1","refresh_token":null}`,
		"empty behind":            `{"access_token":"a","refresh_token":"refresh-1","refresh_token":""}`,
		"form, empty first":       "access_token=a&refresh_token=&refresh_token=refresh-1",
		"two refresh":             `{"access_token":"a","refresh_token":"refresh-1","refresh_token":"refresh-2"}`,
		"deep before":             `{"x":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `,"access_token":"a","refresh_token":"refresh-1"}`,
		"single quotes":           `{'access_token':'a','refresh_token':'refresh-1'}`,
		"trailing comma":          `{"access_token":"a","refresh_token":"refresh-1",}`,
		"comment in front":        `/**/{"access_token":"a","refresh_token":"refresh-1"}`,
		"xssi":                    ")]}',\n" + `{"access_token":"a","refresh_token":"refresh-1"}`,
		"php warning in front":    "<br />Deprecated<br />\n" + `{"access_token":"a","refresh_token":"refresh-1"}`,
		"array":                   `[{"access_token":"a","refresh_token":"refresh-1"}]`,
		"form with a space":       "access_token=a&refresh_token=refresh-1&scope=a b",
		"form with a semicolon":   "access_token=a&refresh_token=refresh-1&scope=a;b",
		"form with a %":           "access_token=a&refresh_token=refresh-1&scope=100%",
		"form, plus in the token": "access_token=a&refresh_token=re+fresh",
		"UTF-32":                  "{\x00\x00\x00\"\x00\x00\x00",
	} {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		p.now(answering(200, jsonType, text))
		_, err := open(t, p, store).Token(t.Context())
		kept, _ := os.ReadFile(store.unread("alexa").paths()[0])
		t.Logf("%-24s store %q kept %d %v", name, load(t, store).Refresh.Reveal(), len(kept), err)
	}
}

func TestSalvageAfterTheClockWasSetBack(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	marked := stored(-time.Second)
	marked.PendingSince = wallNow().Add(time.Hour) // the clock was ahead
	testkit.NoError(t, store.Save("alexa", marked))
	next := marked
	next.PendingSince, next.Renewed, next.Refresh, next.Access, next.Expiry = time.Time{}, wallNow(), "refresh-1", "access-1", wallNow().Add(time.Hour)
	text, _ := formatGrant("alexa", next)
	testkit.NoError(t, os.WriteFile(strings.Replace(store.Path("alexa"), "alexa.", ".alexa.", 1)+".123.tmp", text, 0o600))
	if got := load(t, store); got.Refresh != "refresh-1" {
		t.Errorf("the successor is not salvaged: %q", got.Refresh.Reveal())
	}
}
