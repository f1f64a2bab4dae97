package avsroute

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/h2"
	"avsproxy/tokens"
)

// tries runs a downchannel on fake time against an upstream, and returns when it
// was tried.
func tries(t *testing.T, d time.Duration, send func(n int) (*http.Response, error)) (at []time.Duration, news *newsList) {
	news = &newsList{}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		origin, _ := url.Parse("https://upstream.example")
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		NewDownchannel(DownchannelOptions{Origin: origin, OnEvent: news.tell, Send: func(*exchange.Exchange, *http.Request) (*http.Response, error) {
			at = append(at, time.Since(began))
			return send(len(at))
		}}).Run(ctx)
	})
	return at, news
}

// What [upstream.PauseAfter] and [upstream.Budget] bound.
const (
	maxTries = 50
	triesIn  = 10 * time.Minute
)

var pausesLike = [...]time.Duration{250 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second}

// lasting is a channel that ends after a while, with an error.
func lasting(d time.Duration, err error) *http.Response {
	body, end := io.Pipe()
	time.AfterFunc(d, func() { end.CloseWithError(err) })
	return channelAnswer(body)
}

var (
	errGone   = errors.New("http2: client connection lost")
	errGoaway = &h2.ResetError{Err: h2.GoAwayError{Code: h2.NoError}}
)

func TestDownchannelBacksOff(t *testing.T) {
	at, news := tries(t, time.Minute, func(int) (*http.Response, error) { return nil, errGone })
	if len(at) < 7 {
		t.Fatalf("tried at %v", at)
	}
	for i := range at[1:] {
		pause, want := at[i+1]-at[i], pausesLike[min(i, len(pausesLike)-1)]
		if ratio := float64(pause) / float64(want); ratio < 0.67 || ratio > 1.5 {
			t.Errorf("pause %d was %v", i, pause)
		}
	}
	if news.count(DownchannelLost) != 1 {
		t.Errorf("told %v", news.list)
	}
}

func TestDownchannelTriesFiftyTimesInTenMinutes(t *testing.T) {
	flapping := func(int) (*http.Response, error) { return lasting(time.Millisecond, io.EOF), nil }
	for name, send := range map[string]func(int) (*http.Response, error){
		"dead":     func(int) (*http.Response, error) { return nil, errGone },
		"flapping": flapping,
		"just long enough": func(n int) (*http.Response, error) {
			if n%2 == 0 {
				return nil, errGone
			}
			return lasting(steady, io.EOF), nil
		},
	} {
		at, _ := tries(t, time.Hour, send)
		for i := maxTries; i < len(at); i++ {
			if within := at[i] - at[i-maxTries]; within < triesIn {
				t.Errorf("%s: %d tries within %v", name, maxTries+1, within)
				break
			}
		}
		if len(at) < 100 {
			t.Errorf("%s: it gave up after %v", name, at[len(at)-1])
		}
	}
}

func TestDownchannelReopens(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name    string
		first   func() *http.Response
		longest time.Duration // until the second try
		lost    int
	}{
		{"at its end", func() *http.Response { return lasting(hour, io.EOF) }, hour, 0},
		{"after GOAWAY", func() *http.Response { return lasting(hour, errGoaway) }, hour, 0},
		{"soon after GOAWAY", func() *http.Response { return lasting(time.Second, errGoaway) }, time.Second, 0},
		{"after a loss", func() *http.Response { return lasting(hour, errGone) }, hour + 3*pausesLike[0]/2, 1},
	} {
		at, news := tries(t, 3*hour, func(n int) (*http.Response, error) {
			if n == 1 {
				return c.first(), nil
			}
			return lasting(4*hour, errGone), nil
		})
		if len(at) != 2 || at[1] > c.longest || news.count(DownchannelLost) != c.lost || news.count(DownchannelOpened) != 2 {
			t.Errorf("%s: at %v, told %v", c.name, at, news.list)
		}
	}
}

// After a channel that was open for a while the pauses begin anew.
func TestDownchannelForgetsEarlierFailures(t *testing.T) {
	at, news := tries(t, time.Minute, func(n int) (*http.Response, error) {
		if n == 4 {
			return lasting(steady, errGone), nil
		}
		return nil, errGone
	})
	if pause := at[4] - at[3] - steady; pause > 3*pausesLike[0]/2 {
		t.Errorf("the pause after it was %v", pause)
	}
	if news.count(DownchannelLost) != 2 {
		t.Errorf("told %v", news.list)
	}
}

func TestDownchannelLooksForALoginQuietly(t *testing.T) {
	at, news := tries(t, time.Hour-1, func(int) (*http.Response, error) {
		return nil, &tokens.Error{Action: tokens.ActionLogin, Message: "nobody has logged in"}
	})
	if len(at) != int(time.Hour/loginBeat) || news.count(DownchannelWaits) != 1 || len(news.list) != 1 {
		t.Errorf("%d tries, told %v", len(at), news.list)
	}
}

// An upstream that takes the request and never answers is an upstream that is gone.
func TestDownchannelIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		origin, _ := url.Parse("https://upstream.example")
		ctx, cancel := context.WithTimeout(t.Context(), 3*openMost)
		defer cancel()
		tried := 0
		d := NewDownchannel(DownchannelOptions{Origin: origin, Send: func(x *exchange.Exchange, r *http.Request) (*http.Response, error) {
			tried++
			<-r.Context().Done()
			return nil, r.Context().Err()
		}})
		d.Run(ctx)
		if tried != 3 {
			t.Errorf("%d tries", tried)
		}
	})
}

func TestHeadersAndPathOfTheDownchannel(t *testing.T) {
	for origin, want := range map[string]string{
		"https://upstream.example":             "https://upstream.example/v20160207/directives",
		"https://upstream.example/":            "https://upstream.example/v20160207/directives",
		"https://upstream.example:8443/a%2Fb/": "https://upstream.example:8443/a%2Fb/v20160207/directives",
	} {
		target, _ := url.Parse(origin)
		r := NewDownchannel(DownchannelOptions{Origin: target, Headers: map[string]string{"x-device": "kitchen"}}).request(t.Context())
		if r.URL.String() != want || r.Header.Get("X-Device") != "kitchen" || r.UserAgent() != "avsproxy" {
			t.Errorf("%s: %s %v", origin, r.URL, r.Header)
		}
	}
}

// An upstream that takes leave behind each answer is not given one connection after the
// other. One that does it now and then costs no time.
func TestDownchannelThatIsLeftAtOnceBacksOff(t *testing.T) {
	for _, c := range []struct {
		open        time.Duration
		least, most int // tries in an hour
	}{
		{time.Millisecond, 120, 300},
		{time.Minute, 60, 61},
	} {
		var at []time.Duration
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			origin, _ := url.Parse("https://upstream.example")
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			NewDownchannel(DownchannelOptions{Origin: origin, Send: func(x *exchange.Exchange, r *http.Request) (*http.Response, error) {
				at = append(at, time.Since(began))
				time.AfterFunc(c.open, x.Draining)
				body, end := io.Pipe()
				context.AfterFunc(r.Context(), func() { end.CloseWithError(r.Context().Err()) })
				return channelAnswer(body), nil
			}}).Run(ctx)
		})
		if n := len(at); n < c.least || n > c.most || at[1] != c.open {
			t.Errorf("left after %v: %d tries in an hour, the second after %v", c.open, n, at[1])
		}
	}
}
