package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLedgerRecordsRequests(t *testing.T) {
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
		Time: got.Time, Header: got.Header, StreamID: 1, Status: 200, Ended: got.Ended,
		Fields: [][2]string{
			{":authority", "other.localhost"}, {":method", "POST"}, {":path", "/sandbox/echo?b=2&a=%7c"}, {":scheme", "https"},
			{"authorization", "Bearer " + token}, {"x-twice", "1"}, {"x-twice", "2"}, {"content-length", "5"}, {"user-agent", "Go-http-client/2.0"},
		},
	}
	if got.Ended.Before(got.Time) {
		t.Errorf("ended at %v", got.Ended)
	}
	sortRegular := cmp.Transformer("sorted", func(fields [][2]string) []string { // net/http walks through a map
		var lines []string
		for _, field := range fields {
			lines = append(lines, field[0]+": "+field[1])
		}
		slices.Sort(lines)
		return lines
	})
	if diff := cmp.Diff(want, got, sortRegular); diff != "" {
		t.Error(diff)
	}
}

func TestLedgerRecordsUnfinishedRequests(t *testing.T) {
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
	var l recent[*entry]
	for range 3 * maxRecent {
		request, _ := http.NewRequest("GET", "/", nil)
		l.add(newEntry(request, nil))
	}
	if n := len(l.all()); n != maxRecent || cap(l.items) > 3*maxRecent {
		t.Errorf("%d arrivals, room for %d", n, cap(l.items))
	}
}

func TestLedgerKeepsTheOrderOfFields(t *testing.T) {
	s := start(t, Options{})
	curl(t, s, "--http2", "-H", "Z: 1", "-H", "Authorization: Bearer x", "-H", "A: 2", "-H", "Z: 3", s.AVS()+"/ping")
	var names []string
	for _, field := range s.Ledger()[0].Fields {
		names = append(names, field[0])
	}
	want := []string{":method", ":scheme", ":authority", ":path", "user-agent", "accept", "z", "authorization", "a", "z"}
	slices.Sort(names[:4])
	slices.Sort(want[:4])
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestLedgerOfHTTP1HasTheHostFirst(t *testing.T) {
	s := start(t, Options{HTTP1: true})
	request := ask(t, s, "none", "GET", "/ping", nil)
	request.Host = "other.localhost"
	send(t, client(t, s), request)
	got := s.Ledger()[0]
	want := [][2]string{{"Host", "other.localhost"}, {"Authorization", "Bearer none"}, {"User-Agent", "Go-http-client/1.1"}}
	if diff := cmp.Diff(want, got.Fields); diff != "" || got.StreamID != 0 || got.Status != http.StatusForbidden {
		t.Errorf("stream %d, %d %s", got.StreamID, got.Status, diff)
	}
}

func TestLedgerInJSONHoldsNoToken(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	request := ask(t, s, token, "POST", "/sandbox/echo?leak="+url.QueryEscape(token), io.MultiReader(strings.NewReader("hello")))
	request.Header["Authorization"] = []string{"Bearer  " + token}
	request.Header.Set("X-Leak", token)
	request.Header.Set("Cookie", "a=1; b=session")
	request.Trailer = http.Header{"X-Leak": {token}}
	send(t, client(t, s), request)

	text, err := json.Marshal(s.Ledger())
	if err != nil || strings.Contains(string(text), token[10:30]) || strings.Contains(string(text), "a=1") || strings.Contains(string(text), "session") {
		t.Fatalf("%s, %v", text, err)
	}
	var shown []map[string]any
	json.Unmarshal(text, &shown)
	sum := sha256.Sum256([]byte(token))
	print := hex.EncodeToString(sum[:4])
	if shown[0]["token"] != print || shown[0]["status"] != 200.0 || shown[0]["stream"] != 1.0 || shown[0]["query"] != "leak="+print {
		t.Errorf("%s", text)
	}
	if !strings.Contains(string(text), `["authorization","Bearer  `+print+`"]`) || s.Ledger()[0].Token != token {
		t.Errorf("%s", text)
	}
}

func TestLedgerIsCleared(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s)
	send(t, c, ask(t, s, "none", "GET", "/ping", nil))
	s.ClearLedger()
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d arrivals", n)
	}
	send(t, c, ask(t, s, "none", "GET", "/ping", nil))
	if got := s.Ledger(); len(got) != 1 || got[0].StreamID != 3 {
		t.Errorf("%+v", got)
	}
}
