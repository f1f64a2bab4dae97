package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLedgerTellsWhatArrived(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	request := ask(t, s, token, "POST", "/sandbox/echo?b=2&a=%7c", strings.NewReader("hello"))
	request.Host = "other.localhost"
	request.Header["X-Twice"] = []string{"1", "2"}
	send(t, client(t, s), request)

	ledger := s.Ledger()
	if len(ledger) != 1 {
		t.Fatalf("%d arrivals", len(ledger))
	}
	got := ledger[0]
	if diff := cmp.Diff([]string{"1", "2"}, got.Header["X-Twice"]); diff != "" || len(got.Header["Authorization"]) != 1 || got.Time.IsZero() {
		t.Errorf("%v at %v", got.Header, got.Time)
	}
	sum := sha256.Sum256([]byte("hello"))
	want := Arrival{
		ConnID: 1, Proto: "HTTP/2.0", Method: "POST", Path: "/sandbox/echo", Query: "b=2&a=%7c", Authority: "other.localhost",
		Token: token, BodySize: 5, BodySHA256: hex.EncodeToString(sum[:]), Done: true,
		Time: got.Time, Header: got.Header,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLedgerTellsWhatIsStillArriving(t *testing.T) {
	s := start(t, Options{})
	_, voice := speaking(t, s, loggedIn(t, s).AccessToken)
	before := s.Ledger()[0]
	if before.Done || before.BodySize == 0 {
		t.Errorf("%+v", before)
	}
	voice.CloseWithError(io.ErrUnexpectedEOF)
}

func TestLedgerListsRefusedRequestsToo(t *testing.T) {
	s := start(t, Options{})
	send(t, client(t, s), ask(t, s, "Atza|stranger", "GET", "/ping", nil))
	if got := s.Ledger(); len(got) != 1 || got[0].Token != "Atza|stranger" || !got[0].Done {
		t.Errorf("%+v", got)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	var l ledger
	for range keep + 10 {
		request, _ := http.NewRequest("GET", "/", nil)
		l.record(request)
	}
	if n := len(l.arrivals()); n != keep {
		t.Errorf("%d arrivals", n)
	}
}
