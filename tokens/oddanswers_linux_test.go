package tokens

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

func cutAs(kind, text string) func(int, url.Values) (*http.Response, error) {
	return always(func() (*http.Response, error) {
		resp := reply(200, kind, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return resp, nil
	})
}

// Property: after a cut at any offset the new token is saved, or the old one is
// still there and the cut answer is kept.
func TestCutAtEveryOffset(t *testing.T) {
	step := 7
	if os.Getenv("CI") != "" {
		step = 1
	}
	for name, text := range map[string]string{
		"json":    whole,
		"jsonR":   `{"refresh_token":"refresh-1","access_token":"access-1","expires_in":3600,"token_type":"bearer"}`,
		"number":  `{"access_token":"access-1","refresh_token":1234567,"expires_in":3600}`,
		"form":    "access_token=access-1&refresh_token=refresh-1&expires_in=3600",
		"formR":   "refresh_token=refresh-1&access_token=access-1&expires_in=3600",
		"string":  fmt.Sprintf("%q", whole),
		"utf16le": inUTF16(whole, false),
		"utf16be": inUTF16(whole, true),
		"bom":     "\ufeff" + whole,
	} {
		t.Run(name, func(t *testing.T) {
			var bad []string
			for n := 1; n <= len(text); n += step {
				synctest.Test(t, func(t *testing.T) {
					p, store := newProvider(), FileStore{Dir: t.TempDir()}
					testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
					p.now(cutAs(jsonType, text[:n]))
					s := open(t, p, store)
					ctx, c := context.WithTimeout(t.Context(), time.Minute)
					defer c()
					_, _ = s.Token(ctx)
					got := load(t, store)
					kept, _ := os.ReadFile(store.unread("alexa").paths()[0])
					switch {
					case got.Refresh == "refresh-1", got.Refresh == "1234567":
					case got.Refresh == "refresh-0" && bytes.Equal(kept, []byte(text[:n])):
					case got.Refresh == "refresh-0" && strings.TrimSpace(text[:n]) == "":
					default:
						bad = append(bad, fmt.Sprintf("%d: store has %q, kept %d bytes", n, got.Refresh.Reveal(), len(kept)))
					}
				})
			}
			if bad != nil {
				t.Errorf("%d bad offsets: %v", len(bad), bad)
			}
		})
	}
}

func TestCompressedTokenAnswersAreReadOrKept(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(whole))
	w.Close()
	for name, h := range map[string]http.HandlerFunc{
		"labelled gzip, plain": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, whole)
		},
		"unlabelled gzip": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(z.Bytes())
		},
		"labelled deflate": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "deflate")
			w.Write(z.Bytes())
		},
		"x-gzip": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "x-gzip")
			w.Write(z.Bytes())
		},
		"gzip cut": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", fmt.Sprint(z.Len()))
			w.Write(z.Bytes()[:z.Len()-1])
		},
		"gzip cut in header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", fmt.Sprint(z.Len()))
			w.Write(z.Bytes()[:9])
		},
		"gzip bad crc": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			b := bytes.Clone(z.Bytes())
			b[len(b)-6] ^= 1
			w.Write(b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := testkit.Server(t, h)
			store := FileStore{Dir: t.TempDir()}
			c := &Client{ID: "client", TokenURL: srv.URL + "/token", HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
			g := stored(-time.Second)
			g.Issuer = c.TokenURL
			testkit.NoError(t, store.Save("alexa", g))
			s := &Source{Name: "alexa", Store: store, Renew: c.Refresh, Matches: c.Matches}
			testkit.NoError(t, s.Load())
			_, err := s.Token(t.Context())
			kept, _ := os.ReadFile(store.unread("alexa").paths()[0])
			got := load(t, store)
			if got.Refresh != "refresh-1" && len(kept) == 0 {
				t.Errorf("LOST: store %s, kept %q, err %v", got.Refresh.Reveal(), kept, err)
			} else {
				t.Logf("store %s, kept %d, err %v", got.Refresh.Reveal(), len(kept), err)
			}
		})
	}
}

// The clock was ahead (no RTC, dead battery) while a renewal failed; then NTP set it right.
func TestClockSetBackAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := stored(-time.Second)
		ahead := wallNow().Add(365 * 24 * time.Hour)
		g.Failed = Failed{Action: ActionRetry, Message: "x509: certificate has expired", At: ahead, Retry: ahead.Add(2 * time.Second)}
		s := open(t, p, holding(t, g))
		for range 48 {
			if _, err := s.Token(t.Context()); err == nil {
				return
			}
			time.Sleep(time.Hour)
		}
		t.Errorf("dark for two days after the clock was put right; the provider was asked %d times; %+v", p.calls(), s.Status().Failure)
	})
}

func TestRefusalsMeanADeadLoginOnlyWhereTheyGoOn(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t.Run("passing faults are no refusals", func(t *testing.T) {
		var f Failed
		for i := range 8 { // the same refusal for two minutes
			f = Failed{At: t0.Add(time.Duration(i) * 15 * time.Second)}.count(f, "400 invalid_client")
		}
		for i := range 15 { // then the network is down for an hour
			f = Failed{At: t0.Add(2*time.Minute + time.Duration(i+1)*4*time.Minute)}.count(f, "")
		}
		if f.probably() {
			t.Error("a login is 'probably needed' though the refusal came for two minutes alone")
		}
	})
	t.Run("one refusal after a pause", func(t *testing.T) {
		var f Failed
		for i := range 7 {
			f = Failed{At: t0.Add(time.Duration(i) * 15 * time.Second)}.count(f, "403 ")
		}
		f = Failed{At: t0.Add(365 * 24 * time.Hour)}.count(f, "403 ") // machine was off for a year
		if f.probably() {
			t.Error("set after 2 minutes of tries and a machine that was off")
		}
	})
	t.Run("clock set back", func(t *testing.T) {
		f := Failed{At: t0.Add(365 * 24 * time.Hour)}.count(Failed{}, "403 ") // the clock was a year ahead
		for i := range 600 {
			f = Failed{At: t0.Add(time.Duration(i) * 5 * time.Minute)}.count(f, "403 ")
		}
		if !f.probably() {
			t.Error("two days of the same refusal, and not told")
		}
	})
}

// A maintenance page with changing text fills all places; then the answer that matters is dropped.
func TestAnswerThatIsNotKeptIsNotReportedAsKept(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	for i := range 4 {
		testkit.Must(store.unread("alexa").keep(fmt.Appendf(nil, "<html>be right back, request %d</html>", i)))(t)
	}
	answer := []byte(`{"data":{"refresh_token":"refresh-1"}}`)
	path, err := store.unread("alexa").keep(answer)
	if err == nil {
		if text, _ := os.ReadFile(path); !bytes.Equal(text, answer) {
			t.Errorf("says that it is kept in %s, which holds %q", path, text)
		}
	}
}

func TestPipeInThePlaceOfAKeptAnswerDoesNotBlock(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	testkit.NoError(t, syscall.Mkfifo(store.unread("alexa").paths()[0], 0o600))
	done := make(chan bool)
	go func() { store.unread("alexa").keep([]byte("x")); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		t.Error("hangs, with the store's lock")
		f, _ := os.OpenFile(store.unread("alexa").paths()[0], os.O_RDWR, 0)
		f.Close()
	}
}

func TestFoldersInThePlaceOfKeptAnswersAreReported(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	for _, p := range store.unread("alexa").paths() {
		testkit.NoError(t, os.Mkdir(p, 0o700))
	}
	if path, err := store.unread("alexa").keep([]byte("x")); err == nil && path != "" {
		t.Errorf("claims to have kept it in %s, a folder", path)
	}
}

// A nested token answer with a word for "no error" is thrown away.
func TestNestedTokenAnswerWithAnErrorWordIsKept(t *testing.T) {
	for name, text := range map[string]string{
		"error none":   `{"error":"none","data":{"access_token":"a","refresh_token":"refresh-1"}}`,
		"error code":   `{"error":{"code":"ok","message":""},"data":{"access_token":"a","refresh_token":"refresh-1"}}`,
		"success":      `{"error":"success","result":{"refresh_token":"refresh-1"}}`,
		"cut":          `{"error":"none","access_token":"access-1","refresh_token":"refr`,
		"camel":        `{"error":"ok","accessToken":"a","refreshToken":"refresh-1"}`,
		"error in 200": `{"errors":[{"code":"warning"}],"data":{"refresh_token":"refresh-1"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p, store := newProvider(), FileStore{Dir: t.TempDir()}
			testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
			p.now(cutAs(jsonType, text))
			e := refused(t, open(t, p, store))
			if kept, _ := os.ReadFile(store.unread("alexa").paths()[0]); len(kept) == 0 {
				t.Errorf("not kept; %v", e)
			}
		})
	}
}

// Once the retry is refused, nothing says any more where the answer is.
func TestStatusNamesTheKeptAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		p.now(answering(200, jsonType, `{"data":{"refresh_token":"refresh-1"}}`))
		s := open(t, p, store)
		refused(t, s)
		path := store.unread("alexa").paths()[0]
		time.Sleep(time.Minute)
		p.now(down)
		refused(t, s)
		if got := s.Status().Unread; got != path {
			t.Errorf("after a passing fault: %q", got)
		}
		time.Sleep(time.Hour)
		p.now(answering(400, jsonType, `{"error":"invalid_grant"}`))
		if e := refused(t, s); !strings.Contains(e.Hint, path) {
			t.Errorf("after invalid_grant: %v / %q", e, e.Hint)
		}
		if e := refused(t, open(t, p, store)); !strings.Contains(e.Hint, path) {
			t.Errorf("after a restart: %v / %q", e, e.Hint)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
}

// A login whose answer breaks off behind the refresh token.
func TestCodeExchangeCutBehindTheRefreshTokenKeepsIt(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	c := p.client()
	s := &Source{Name: "alexa", Store: store, Renew: c.Refresh, Matches: c.Matches}
	for _, text := range []string{`{"refresh_token":"refresh-1","access_token":"acc`, `{"access_token":"access-1","token_type":"mac","refresh_token":"refresh-1"}`} {
		p.now(cutAs(jsonType, text))
		var logins Logins
		l := begin(t, &logins, s, c)
		_, err := logins.Callback(t.Context(), calledBack(url.Values{"state": {l.state}, "code": {"c"}}))
		g, lerr := store.Load("alexa")
		kept, _ := os.ReadFile(store.unread("alexa").paths()[0])
		if g.Refresh != "refresh-1" && len(kept) == 0 {
			t.Errorf("neither saved nor kept: %v; %v", err, lerr)
		}
	}
}

func TestDeviceLoginKeepsTheTokenThatItsProofRotated(t *testing.T) {
	p, c := newProvider(), (*Client)(nil)
	c = p.client()
	first := c.newGrant(deviceKind)
	first.Access, first.Refresh = "access-0", "refresh-0"
	p.now(cutAs(jsonType, `{"refresh_token":"refresh-1","access_token":"acc`))
	got, err := newLogin(&Source{Store: &MemoryStore{}}, c).prove(t.Context(), first)
	if got.Refresh != "refresh-1" {
		t.Errorf("the login is made of the spent %q; %v", got.Refresh.Reveal(), err)
	}
}

func TestDeviceLoginKeepsAnUnreadAnswerOfItsProof(t *testing.T) {
	p := newProvider()
	c := p.client()
	first := c.newGrant(deviceKind)
	first.Access, first.Refresh = "access-0", "refresh-0"
	p.now(answering(200, jsonType, `{"data":{"refresh_token":"refresh-1"}}`))
	store := FileStore{Dir: t.TempDir()}
	got, err := newLogin(&Source{Name: "alexa", Store: store}, c).prove(t.Context(), first)
	if err != nil || got.PendingSince.IsZero() || store.unread("alexa").first() == "" {
		t.Errorf("the unread answer is kept by nobody; %q, %v", got.Refresh.Reveal(), err)
	}
}

func TestCutAnswerToADevicePollKeepsItsRefreshToken(t *testing.T) {
	p := newProvider()
	c := p.client()
	p.now(cutAs(jsonType, `{"refresh_token":"refresh-1","access_token":"acc`))
	got, err := c.redeemDevice(t.Context(), &DeviceCode{secret: "x"})
	if err == nil || got.Refresh != "refresh-1" {
		t.Errorf("dropped: %v", err)
	}
}

// The secret is wrong for a while; the try in a header ends in something else than invalid_client.
func TestBasicAuthenticationIsKeptOnlyWhereItWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, header := range map[string]*http.Response{
			"503":             reply(503, "text/html", "oops"),
			"invalid_request": reply(400, jsonType, `{"error":"invalid_request"}`),
		} {
			secret, calls := Secret("wrong"), 0
			rt := roundTrip(func(req *http.Request) (*http.Response, error) {
				calls++
				if _, _, ok := req.BasicAuth(); ok {
					b, _ := io.ReadAll(header.Body)
					header.Body = io.NopCloser(bytes.NewReader(b))
					r := *header
					if calls > 2 { // it knows no Basic at all
						return reply(401, jsonType, `{"error":"invalid_client"}`), nil
					}
					r.Body = io.NopCloser(bytes.NewReader(b))
					return &r, nil
				}
				b, _ := io.ReadAll(req.Body)
				v, _ := url.ParseQuery(string(b))
				if v.Get("client_secret") != "right" {
					return reply(401, jsonType, `{"error":"invalid_client"}`), nil
				}
				return rotating(1, nil)
			})
			c := &Client{ID: "client", TokenURL: "https://provider.test/token", TryBasic: true, Secret: func() (Secret, error) { return secret, nil }, HTTP: &http.Client{Transport: rt}}
			s := &Source{Name: "alexa", Store: holding(t, stored(-time.Second)), Renew: c.Refresh, Matches: c.Matches}
			testkit.NoError(t, s.Load())
			s.Token(t.Context())
			secret = "right"
			var err error
			for range 48 {
				time.Sleep(time.Hour)
				if _, err = s.Token(t.Context()); err == nil {
					break
				}
			}
			if err != nil {
				t.Errorf("%s: stuck for two days after the secret was mended: %v", name, err)
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The second request was sent and its answer lost: the refresh token may be spent.
func TestLostAnswerToBasicAuthenticationKeepsTheMark(t *testing.T) {
	p, store := newProvider(), FileStore{Dir: t.TempDir()}
	testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
	n := 0
	rt := roundTrip(func(req *http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return reply(401, jsonType, `{"error":"invalid_client"}`), nil
		}
		return nil, io.ErrUnexpectedEOF // taken, and the answer lost
	})
	c := p.client()
	c.TryBasic, c.HTTP = true, &http.Client{Transport: rt}
	s := &Source{Name: "alexa", Store: store, Renew: c.Refresh, Matches: c.Matches}
	testkit.NoError(t, s.Load())
	e := refused(t, s)
	if load(t, store).PendingSince.IsZero() {
		t.Errorf("the mark is gone though the refresh token was sent and not answered; %v", e)
	}
}

func TestMalformedRefreshTokensReplaceNone(t *testing.T) {
	for name, text := range map[string]string{
		"space":     `{"access_token":"a","refresh_token":" "}`,
		"zero":      `{"access_token":"a","refresh_token":0}`,
		"surrogate": `{"access_token":"a","refresh_token":"x\ud800y"}`,
		"latin1":    "{\"access_token\":\"a\",\"refresh_token\":\"x\xe9y\"}",
		"control":   `{"access_token":"a","refresh_token":"x\u0000y"}`,
	} {
		p, store := newProvider(), FileStore{Dir: t.TempDir()}
		testkit.NoError(t, store.Save("alexa", stored(-time.Second)))
		p.now(answering(200, jsonType, text))
		s := open(t, p, store)
		s.Token(t.Context())
		if got := load(t, store).Refresh; got != "refresh-0" {
			kept, _ := os.ReadFile(store.unread("alexa").paths()[0])
			t.Errorf("%s: refresh-0 was replaced by %q, kept %q", name, got.Reveal(), kept)
		}
	}
}

// A kill between the two halves of a save on a full disk.
func TestKilledWithinASaveOnAFullDisk(t *testing.T) {
	store := FileStore{Dir: t.TempDir()}
	old := stored(-time.Second)
	testkit.NoError(t, store.Save("alexa", old))
	old.PendingSince = wallNow().Add(-time.Second)
	testkit.NoError(t, store.Save("alexa", old))
	next := old
	next.Generation++
	next.PendingSince, next.Renewed, next.Refresh, next.Access, next.Expiry = time.Time{}, wallNow(), "refresh-1", "access-1", wallNow().Add(time.Hour)
	text := testkit.Must(formatGrant("alexa", next))(t)
	testkit.NoError(t, os.WriteFile(store.previous("alexa"), text, 0o600)) // what durable.overwrite did before the kill
	if got := load(t, store); got.Refresh != "refresh-1" {
		t.Errorf("goes on with the spent %q, though previous.json has the new one", got.Refresh.Reveal())
	}
}
