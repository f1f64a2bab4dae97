package sandbox

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

func TestFaultReset(t *testing.T) {
	s := start(t, Options{})
	for fault, want := range map[string]http2.ErrCode{
		"rst": http2.ErrCodeInternal, "rst=REFUSED_STREAM": http2.ErrCodeRefusedStream, "rst=HTTP_1_1_REQUIRED": http2.ErrCodeHTTP11Required, "rst=77": 77,
	} {
		setFaults(t, s.Faults(), fault+" x1")
		r := dial(t, s)
		r.get(1, "/ping", "none")
		if f := expect[*http2.RSTStreamFrame](r); f.StreamID != 1 || f.ErrCode != want {
			t.Errorf("%s: %v %v", fault, f, f.ErrCode)
		}
		r.get(3, "/ping", "none")
		r.wantStatus(3, "403")
	}
}

func TestFaultResetAcceptsAllCodes(t *testing.T) {
	for code := http2.ErrCodeNo; code <= http2.ErrCodeHTTP11Required; code++ {
		list := faultSet(t, "rst="+code.String()).List()
		if got := resetCode(list[0]); got != code {
			t.Errorf("%v: %v of %v", code, got, list)
		}
	}
}

func TestFaultGoAwayLetsStreamsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, connect, token := bubbled(t, Options{})
		r := connect()
		r.get(1, "/sandbox/slow-multipart?n=2&gap=1m", token)
		r.wantStatus(1, "200")
		setFaults(t, s.Faults(), "goaway x1")
		r.get(3, "/ping", token)
		if f := expect[*http2.GoAwayFrame](r); f.LastStreamID != 3 || f.ErrCode != http2.ErrCodeNo {
			t.Errorf("%v last %d", f.ErrCode, f.LastStreamID)
		}
		r.wantStatus(3, "204")
		for last := false; !last; {
			f := expect[*http2.DataFrame](r)
			last = f.StreamID == 1 && f.StreamEnded()
		}
		r.wantEnd()
		if first := s.Ledger()[0]; first.Status != 200 || first.Ended.Sub(first.Time) != time.Minute {
			t.Errorf("%+v", first)
		}
	})
}

func TestFaultGoAwayDropsStreams(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	c := client(t, s)
	down, err := c.Do(ask(t, s, token, "GET", "/v20160207/directives", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer down.Body.Close()
	setFaults(t, s.Faults(), "goaway=drop x1")
	// net/http takes the GOAWAY's word that the request was not processed, and repeats it.
	if answer := send(t, c, ask(t, s, token, "GET", "/ping", nil)); answer.StatusCode != http.StatusNoContent {
		t.Error(answer.Status)
	}
	if _, err := io.ReadAll(down.Body); err == nil {
		t.Error("the downchannel ended as if all was said")
	}
	if _, total := s.Connections(); total != 2 || len(s.Ledger()) != 3 {
		t.Errorf("%d connections, %d arrivals", total, len(s.Ledger()))
	}
}

func TestFaultStrikesConnectionsAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, connect, token := bubbled(t, Options{})
		setFaults(t, s.Faults(), "goaway@10s x1")
		time.Sleep(time.Minute) // it is the connection's time that counts
		for _, want := range []time.Duration{10 * time.Second, 5 * time.Minute} {
			begun := time.Now()
			r := connect()
			r.get(1, "/ping", token)
			if goAway, end, why := lifeOf(r, begun); goAway != want || end != want {
				t.Errorf("GOAWAY after %v, the end after %v: %s", goAway, end, why)
			}
		}
	})
}

func TestFaultStallReads(t *testing.T) {
	s := start(t, Options{})
	setFaults(t, s.Faults(), "stall-reads x1")
	r := dial(t, s)
	r.get(1, "/ping", "none")
	r.wantStatus(1, "403") // the stall begins with what follows
	r.WritePing(false, [8]byte{1})
	r.get(3, "/ping", "none")
	time.Sleep(50 * time.Millisecond)
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d arrivals", n)
	}
}

func TestFaultStallWrites(t *testing.T) {
	s := start(t, Options{})
	setFaults(t, s.Faults(), "stall-writes x1")
	r := dial(t, s)
	expect[*http2.SettingsFrame](r)
	r.get(1, "/ping", "none")
	r.wantSilence()
	r.WritePing(false, [8]byte{1})
	r.wantSilence()
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d arrivals", n)
	}
}

// What frames alone can do, HTTP/1.1 does as nearly as it can.
func TestFaultsOfConnectionsOverHTTP1(t *testing.T) {
	s := start(t, Options{HTTP1: true})
	token := loggedIn(t, s).AccessToken
	setFaults(t, s.Faults(), "goaway x1")
	if answer := send(t, client(t, s), ask(t, s, token, "GET", "/ping", nil)); !answer.Close {
		t.Error("the connection lives on")
	}
	for _, fault := range []string{"goaway=drop", "rst"} {
		setFaults(t, s.Faults(), fault)
		if answer, err := client(t, s).Do(ask(t, s, token, "GET", "/ping", nil)); err == nil {
			answer.Body.Close()
			t.Errorf("%s: %s", fault, answer.Status)
		}
	}
	setFaults(t, s.Faults(), "stall-writes")
	request := ask(t, s, token, "GET", "/ping", nil)
	if answer, err := client(t, s).Do(request.WithContext(within(t, 100*time.Millisecond))); err == nil {
		answer.Body.Close()
		t.Errorf("stall-writes: %s", answer.Status)
	}
}
