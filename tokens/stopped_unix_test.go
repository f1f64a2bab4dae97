//go:build unix

package tokens

import (
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// A renewal may be killed at any moment, and be stopped for longer than its callers
// wait: a login is lost only where the provider has given a refresh token that never
// reached the disk, and never by a stop alone.
func TestPromise1_KilledAndStoppedAtRandomMoments(t *testing.T) {
	a := prepareAftermath(t, sandbox.Options{TokenDelay: 5 * time.Millisecond})
	random := rand.New(rand.NewPCG(1, 2))
	lost := 0
	rounds := killRounds()
	for round := range rounds {
		began := time.Now()
		child := a.child("random")
		testkit.NoError(t, child.Start())
		stop, kill := round%20 == 0, round%40 != 0
		time.Sleep(time.Duration(random.IntN(int(25 * time.Millisecond))))
		if stop {
			_ = child.Process.Signal(syscall.SIGSTOP)
			time.Sleep(stoppedFor)
			_ = child.Process.Signal(syscall.SIGCONT)
		}
		if kill {
			_ = child.Process.Kill()
		}
		_ = child.Wait()
		saved := load(t, a.store)
		token, err := a.source().Fresh(t.Context(), 100*time.Hour)
		issued := a.issuedSince(began) // counted late: the provider may still have been at the child's request
		switch {
		case LoginNeeded(err) && kill && issued > 0 && !saved.PendingSince.IsZero():
			lost++
			a.logIn(t)
		case err != nil || token.Access.IsZero():
			t.Fatalf("round %d, stopped %v, killed %v, %d tokens issued, mark %v: %v", round, stop, kill, issued, saved.PendingSince, err)
		}
	}
	t.Logf("%d rounds; %d logins lost with the answer on its way", rounds, lost)
}

// issuedSince counts the grants that the provider has renewed or given.
func (a *aftermath) issuedSince(began time.Time) (n int) {
	for _, call := range a.amazon.TokenCalls() {
		if call.Status == http.StatusOK && call.Time.After(began) {
			n++
		}
	}
	return n
}
