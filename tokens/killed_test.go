package tokens

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// killAt tells the test binary that it is a child that renews once and is killed
// at this step of it.
const (
	killAt     = "AVSPROXY_TEST_KILL_AT"
	renewURL   = "AVSPROXY_TEST_TOKEN_URL"
	renewRoots = "AVSPROXY_TEST_ROOTS"
	renewIn    = "AVSPROXY_TEST_RENEW_IN"
)

// steps of a renewal, in their order.
var steps = []string{"before the mark", "after the mark", "mid-post", "after the post", "after the answer", "after the temporary file", "after the rename"}

// dieAt kills this very process where it comes to its step.
func dieAt(step string) {
	if os.Getenv(killAt) == step {
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
}

// renewOnce is the child's whole life.
func renewOnce() {
	saves := 0
	store := FileStore{Dir: os.Getenv(renewIn), step: func(step string) {
		switch {
		case step == "saving":
			saves++
			dieAt(map[int]string{1: "before the mark"}[saves])
		case step == "committed" && saves == 1:
			dieAt("after the mark")
		case step == "prepared" && saves == 2:
			dieAt("after the temporary file")
		case step == "committed":
			dieAt("after the rename")
		}
	}}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(os.Getenv(renewRoots)))
	client := &Client{
		ID: sandbox.ClientID, Secret: func() (Secret, error) { return sandbox.ClientSecret, nil }, TokenURL: os.Getenv(renewURL),
		HTTP: &http.Client{Transport: deadlyTransport{&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}},
	}
	source := &Source{Name: "alexa", Store: store, Renew: client.Refresh, Matches: client.Matches, MustSave: true}
	var ttl time.Duration
	if os.Getenv(killAt) == "random" {
		source.Timeout = stoppedFor / 2
	}
	if os.Getenv(killAt) != "never" {
		ttl = 100 * time.Hour // longer than any, so that the renewal takes place
	}
	token, err := source.Fresh(context.Background(), ttl)
	_ = source.AwaitRenewal(context.Background()) // as every command does
	fmt.Println(token.Access.Reveal(), err)
	os.Exit(0)
}

type deadlyTransport struct{ http.RoundTripper }

func (d deadlyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Body = deadlyBody{req.Body}
	resp, err := d.RoundTripper.RoundTrip(req)
	dieAt("after the answer")
	if os.Getenv(killAt) == "after the post" {
		select {} // the answer was faster than the end of the body, which kills
	}
	return resp, err
}

// A deadlyBody kills when it is asked for, with no more than the head sent, and
// when it has been read and is on its way.
type deadlyBody struct{ io.ReadCloser }

func (d deadlyBody) Read(p []byte) (int, error) {
	dieAt("mid-post")
	n, err := d.ReadCloser.Read(p)
	if err == io.EOF {
		dieAt("after the post")
	}
	return n, err
}

// An aftermath is a store that children renew in, at a provider that rotates and
// ends the whole login when a spent refresh token comes back.
type aftermath struct {
	amazon *sandbox.Sandbox
	client *Client
	store  FileStore
	env    []string
}

// killRounds is how often a kill test kills.
func killRounds() int {
	if testkit.IsHeavy() {
		return 1000
	}
	return 40
}

func prepareAftermath(t *testing.T, o sandbox.Options) *aftermath {
	amazon, client := startAmazon(t, o)
	testkit.NoError(t, amazon.Faults().Replace("reuse-detection"))
	a := &aftermath{amazon: amazon, client: client, store: FileStore{Dir: t.TempDir()}}
	a.env = append(os.Environ(), renewURL+"="+client.TokenURL, renewRoots+"="+string(amazon.RootPEM()), renewIn+"="+a.store.Dir)
	a.logIn(t)
	return a
}

func (a *aftermath) source() *Source {
	return &Source{Name: "alexa", Store: a.store, Renew: a.client.Refresh, Matches: a.client.Matches}
}

func (a *aftermath) logIn(t *testing.T) {
	logins := &Logins{}
	login := testkit.Must(logins.Begin(t.Context(), a.source(), a.client))(t)
	testkit.Must(logins.Callback(t.Context(), calledBack(consent(t, login))))(t)
}

func (a *aftermath) child(step string) *exec.Cmd {
	child := exec.Command(os.Args[0])
	child.Env = append(slices.Clone(a.env), killAt+"="+step)
	return child
}

// TestPromise1_KilledAtEachStepOfARenewal: kill -9 costs a login only where the
// provider's answer, with the one refresh token that is left, was on its way and
// not yet on the disk; and that ends in "login needed".
func TestPromise1_KilledAtEachStepOfARenewal(t *testing.T) {
	a := prepareAftermath(t, sandbox.Options{})
	lost := map[string]int{}
	rounds := killRounds()
	for round := range rounds {
		step := steps[round%len(steps)]
		if out, err := a.child(step).CombinedOutput(); err == nil || len(out) > 0 {
			t.Fatalf("%s: the child was not killed: %s", step, out)
		}
		token, err := a.source().Fresh(t.Context(), 100*time.Hour)
		switch {
		case LoginNeeded(err):
			lost[step]++
			a.logIn(t)
		case token.Access.IsZero() || err != nil:
			t.Fatalf("round %d, %s: %v", round, step, err)
		}
	}
	t.Logf("%d rounds; logins lost: %v", rounds, lost)
	for step, n := range lost {
		if step != "after the post" && step != "after the answer" {
			t.Errorf("%s: %d logins lost", step, n)
		}
	}
	if lost["after the answer"] == 0 {
		t.Error("the provider detected no reuse, so this test tests nothing")
	}
}

// stoppedFor is longer than the children's callers wait for an answer.
const stoppedFor = 300 * time.Millisecond

// 50 processes that start at once on one expired token make one token call.
func TestPromise6_FiftyProcessesMakeOneCall(t *testing.T) {
	a := prepareAftermath(t, sandbox.Options{})
	expired := load(t, a.store)
	expired.Expiry = wallNow().Add(-time.Second)
	testkit.NoError(t, a.store.Save("alexa", expired))
	before := len(a.amazon.TokenCalls())
	tokens := make(chan string)
	for range 50 {
		go func() {
			out, err := a.child("never").CombinedOutput()
			tokens <- fmt.Sprint(string(out), err)
		}()
	}
	seen := map[string]int{}
	for range 50 {
		seen[<-tokens]++
	}
	if calls := len(a.amazon.TokenCalls()) - before; calls != 1 || len(seen) != 1 {
		t.Errorf("%d token calls, %d different ends: %v", calls, len(seen), seen)
	}
	for text := range seen {
		if !strings.HasPrefix(text, "Atza|") {
			t.Errorf("a process said %q", text)
		}
	}
}
