package upstream_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/certs"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
	"avsproxy/internal/upstream"
	"avsproxy/proxy"
	"avsproxy/tokens"
)

// A shortLived source has tokens that live for a few seconds, and knows their ends.
type shortLived struct {
	*tokens.Source
	mu      sync.Mutex
	life    time.Duration
	renewal time.Duration // what one takes
	ends    map[string]time.Time
}

func newShortLived(life time.Duration) *shortLived {
	s := &shortLived{life: life, ends: map[string]time.Time{}}
	s.Source = &tokens.Source{Name: "short", Kind: "client_credentials", Store: &tokens.MemoryStore{}, Unattended: true}
	s.Renew = func(_ context.Context, old tokens.Grant) (tokens.Grant, error) {
		time.Sleep(s.renewal)
		s.mu.Lock()
		defer s.mu.Unlock()
		now := time.Now()
		old.Kind, old.Access = "client_credentials", tokens.Secret(fmt.Sprint("token-", len(s.ends)))
		old.Renewed, old.Expiry = now, now.Add(s.life)
		s.ends["Bearer "+old.Access.Reveal()] = old.Expiry
		return old, nil
	}
	return s
}

// check fails for each token that came after its end.
func (s *shortLived) check(t *testing.T, list []string, came []time.Time) {
	t.Helper()
	for i, token := range list {
		end, known := s.ends[token]
		if late := came[i].Sub(end); !known || late > 0 {
			t.Errorf("request %d came with %q, %v after its end", i, token, late)
		}
	}
}

func inject(to upstream.Sender, source *tokens.Source) *proxy.Route {
	return &proxy.Route{
		Origin: to.Origin(), Credential: proxy.Credential{Source: source},
		Upstream: func() (upstream.Sender, exchange.Follower) { return to, nil },
	}
}

// ask sends a request with a token.
func ask(ctx context.Context, route *proxy.Route) error {
	body := io.MultiReader(strings.NewReader("some "), strings.NewReader("body"))
	resp, err := route.Send(exchange.New(nil, &exchange.Head{}), httptest.NewRequest("POST", "https://h/", body).WithContext(ctx))
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// Whatever a request waits for, the token that goes out with it lives when it does.
func TestPromise2_TokenIsLookedAtAfterEachWait(t *testing.T) {
	const life = 3 * time.Second
	for name, wait := range map[string]func(*testing.T, *upstream.FakeNet){
		"a stream": func(t *testing.T, f *upstream.FakeNet) {
			f.Allowing(1)
			giveUp := f.Hold(t)
			f.Answer(testkit.NoContent)
			time.AfterFunc(6*time.Second, giveUp)
		},
		"a dial": func(_ *testing.T, f *upstream.FakeNet) {
			f.DialAfter(6*time.Second, func() {})
		},
		"the next connection": func(t *testing.T, f *upstream.FakeNet) {
			f.Keep(t)
			synctest.Wait()
			f.SetDown(errors.New("the network is down"))
			f.ClosePeer()
			time.AfterFunc(6*time.Second, func() { f.SetDown(nil) })
		},
		"an answer to a ping": func(t *testing.T, f *upstream.FakeNet) {
			ask(t.Context(), inject(f.Upstream(), nil))
			time.Sleep(upstream.StaleAfter)
			f.SilencePeer()
		},
		"another attempt": func(_ *testing.T, f *upstream.FakeNet) {
			began := time.Now()
			f.Answer(func(framer *http2.Framer, stream uint32) {
				if time.Since(began) < 6*time.Second {
					framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
				} else {
					testkit.NoContent(framer, stream)
				}
			})
		},
	} {
		for _, single := range []bool{true, false} {
			for _, renewal := range []time.Duration{0, 2 * time.Second} {
				if name == "a stream" && !single {
					continue // there are more connections then
				}
				synctest.Test(t, func(t *testing.T) {
					f := upstream.NewFakeNet(t, single)
					source := newShortLived(life)
					source.renewal = renewal
					route := inject(f.Upstream(), source.Source)
					if name == "the next connection" && !single {
						return // nothing is held then
					}
					wait(t, f)
					var all sync.WaitGroup
					for range 5 {
						all.Go(func() {
							if err := ask(t.Context(), route); err != nil {
								t.Errorf("%s, single %t, renewals of %v: %v", name, single, renewal, err)
							}
						})
					}
					all.Wait()
					if len(f.Tokens()) < 5 {
						t.Errorf("%s: tokens %q", name, f.Tokens())
					}
					source.check(t, f.Tokens(), f.Came())
				})
			}
		}
	}
}

// The provider's word about a token that ended during a wait is what the client hears.
func TestTokenThatEndsDuringAWaitAndIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := upstream.NewFakeNet(t, true)
		source := newShortLived(3 * time.Second)
		if _, err := source.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		source.Renew = func(context.Context, tokens.Grant) (tokens.Grant, error) {
			return tokens.Grant{}, &tokens.Error{Action: tokens.ActionRetry, Message: "the provider is down"}
		}
		f.Allowing(1)
		giveUp := f.Hold(t)
		f.Answer(testkit.NoContent)
		time.AfterFunc(6*time.Second, giveUp)
		err := ask(t.Context(), inject(f.Upstream(), source.Source))
		if told := (*tokens.Error)(nil); !errors.As(err, &told) || told.Message != "the provider is down" || len(f.Tokens()) != 0 {
			t.Errorf("%v, sent %q", err, f.Tokens())
		}
		if n := f.InFlight(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}

// Tokens that end sooner than a request can be sent keep nobody waiting for ever.
func TestTokensThatEndDuringEachWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := upstream.NewFakeNet(t, true)
		f.DialAfter(6*time.Second, func() { time.AfterFunc(time.Millisecond, f.GoAway) })
		source := newShortLived(3 * time.Second)
		source.renewal = time.Second
		began := time.Now()
		err := ask(t.Context(), inject(f.Upstream(), source.Source))
		var told *tokens.Error
		if !errors.As(err, &told) || time.Since(began) > time.Minute || len(f.Tokens()) != 0 {
			t.Errorf("%v after %v, sent %q", err, time.Since(began), f.Tokens())
		}
		source.AwaitRenewal(t.Context())
	})
}

// Over HTTP/1.1, and for WebSockets, net/http makes the connection after it was given the
// request.
func TestPromise2_TokenIsLookedAtAfterADialOfHTTP1(t *testing.T) {
	for _, upgrade := range []string{"", "websocket"} {
		for _, renewal := range []time.Duration{0, 2 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				authority, leaf := certified(t)
				var list []string
				var came []time.Time
				served := make(chan struct{})
				serve := func(conn net.Conn) {
					defer close(served)
					defer conn.Close()
					for in := bufio.NewReader(conn); ; {
						r, err := http.ReadRequest(in)
						if err != nil {
							return
						}
						list, came = append(list, r.Header.Get("Authorization")), append(came, time.Now())
						io.Copy(io.Discard, r.Body)
						io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
					}
				}
				origin, _ := url.Parse("https://localhost")
				slow := 6 * time.Second
				u := upstream.New(upstream.Options{Origin: origin, Roots: authority.Pool(), Dial: func(context.Context, string, string) (net.Conn, error) {
					time.Sleep(slow)
					slow = 0 // where the renewal took longer than the connection waits, there is another one
					near, far := net.Pipe()
					served = make(chan struct{})
					go serve(tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"http/1.1"}}))
					return near, nil
				}})
				u.SpeakHTTP1()
				source := newShortLived(3 * time.Second)
				source.renewal = renewal
				route := inject(u, source.Source)
				req := httptest.NewRequest("POST", "https://localhost/", io.MultiReader(strings.NewReader("some"), strings.NewReader("body")))
				if upgrade != "" {
					req.Header.Set("Upgrade", upgrade)
				}
				resp, err := route.Send(exchange.New(nil, &exchange.Head{}), req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				u.Close()
				<-served
				if len(list) != 1 || len(source.ends) < 2 {
					t.Errorf("%q came, of %d tokens", list, len(source.ends))
				}
				source.check(t, list, came)
			})
		}
	}
}

// certified returns a certificate for localhost that is good at this time.
func certified(t *testing.T) (*certs.Authority, *tls.Certificate) {
	t.Helper()
	authority, err := certs.New("test authority")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Leaf(time.Hour, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return authority, leaf
}
