package share

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"avsproxy/internal/peer"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Who may take what: a certificate's name is never a user's.
func TestWhoMayTakeTokens(t *testing.T) {
	source := &tokens.Source{Name: "alexa", Store: &tokens.MemoryStore{}, Seed: func() (tokens.Grant, error) { return tokens.Grant{Access: testkit.Canary}, nil }}
	at := peer.Peer{}
	handler := &Handler{
		Sources: map[string]*tokens.Source{"alexa": source}, Self: 1000, Peer: func(*http.Request) peer.Peer { return at },
		Clients: map[string][]string{"build.example": {"alexa"}, "all.example": {"*"}, "other.example": {"other"}, "user:0": {"*"}},
	}
	socket := func(uid int) peer.Peer { return peer.Peer{Transport: peer.Socket, UID: uid, Known: true} }
	for _, c := range []struct {
		certificate string // its common name
		peer        peer.Peer
		want        int
	}{
		{"build.example", peer.Peer{}, 200}, {"all.example", peer.Peer{}, 200}, {"other.example", peer.Peer{}, 403}, {"stranger.example", peer.Peer{}, 403},
		{"user:0", peer.Peer{}, 403}, {"user:1000", peer.Peer{}, 403}, {"", peer.Peer{}, 403},
		{"", socket(1000), 200}, {"", socket(0), 200}, {"", socket(5), 403}, {"", peer.Peer{Transport: peer.Loopback, UID: 1000, Known: true}, 403},
		{"stranger.example", socket(1000), 403},
	} {
		r := httptest.NewRequest("GET", tokens.RemotePath+"alexa", nil)
		if c.certificate != "" {
			leaf := &x509.Certificate{Subject: pkix.Name{CommonName: c.certificate}}
			r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
		}
		at = c.peer
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%q, %+v: %d, not %d", c.certificate, c.peer, w.Code, c.want)
		}
	}
}

// A question for the next token is answered when there is one.
func TestQuestionForTheNextToken(t *testing.T) {
	token := tokens.Secret("first")
	source := &tokens.Source{Name: "alexa", Store: &tokens.MemoryStore{}, Seed: func() (tokens.Grant, error) {
		return tokens.Grant{Access: token, Recheck: time.Now()}, nil
	}}
	testkit.Must(source.Token(t.Context()))(t)
	handler := &Handler{Sources: map[string]*tokens.Source{"alexa": source}, Self: 1000, Peer: func(*http.Request) peer.Peer {
		return peer.Peer{Transport: peer.Socket, UID: 1000, Known: true}
	}}
	r := httptest.NewRequest("GET", tokens.RemotePath+"alexa?not="+tokens.Fingerprint("another"), nil)
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("another one is known: %d %s", w.Code, w.Body)
	}
}
