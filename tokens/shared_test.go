package tokens

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
)

// A memoryEngine is an [Engine] in memory, on fake time.
type memoryEngine struct {
	mu      sync.Mutex
	entries map[string]memoryEntry
	leases  map[string]memoryLease
	notes   map[string][]byte
}

type memoryEntry struct {
	revision string
	value    []byte
	written  time.Time
}

type memoryLease struct {
	owner string
	ends  time.Time
}

func newMemoryEngine() *memoryEngine {
	return &memoryEngine{entries: map[string]memoryEntry{}, leases: map[string]memoryLease{}, notes: map[string][]byte{}}
}

func (e *memoryEngine) String() string { return "memory" }

func (e *memoryEngine) Get(_ context.Context, key string) (Entry, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	entry := e.entries[key]
	return Entry{entry.revision, entry.value, time.Since(entry.written)}, nil
}

func (e *memoryEngine) Swap(_ context.Context, key, old, revision string, value []byte) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.entries[key].revision != old {
		return false, nil
	}
	e.entries[key] = memoryEntry{revision, value, time.Now()}
	return true, nil
}

func (e *memoryEngine) Lease(_ context.Context, key, owner string, life time.Duration) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if held := e.leases[key]; held.owner != owner && time.Now().Before(held.ends) {
		return false, nil
	}
	e.leases[key] = memoryLease{owner, time.Now().Add(life)}
	return true, nil
}

func (e *memoryEngine) Release(_ context.Context, key, owner string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leases[key].owner == owner {
		delete(e.leases, key)
	}
	return nil
}

func (e *memoryEngine) Put(_ context.Context, key string, value []byte, _ time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes[key] = value
	return nil
}

func (e *memoryEngine) Take(_ context.Context, key string) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer delete(e.notes, key)
	return e.notes[key], nil
}

func (e *memoryEngine) Changes(context.Context, func(), func(string)) error { return nil }

func (e *memoryEngine) Advise(context.Context) ([]string, error) { return nil, nil }

// lose forgets what was written since the engine was like that.
func (e *memoryEngine) lose(to map[string]memoryEntry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.entries = to
}

func (e *memoryEngine) copied() map[string]memoryEntry {
	e.mu.Lock()
	defer e.mu.Unlock()
	copied := map[string]memoryEntry{}
	for key, entry := range e.entries {
		copied[key] = entry
	}
	return copied
}

// A line is a replica's way to the engine and the provider.
type line struct {
	Engine
	cut   atomic.Bool  // the engine cannot be reached
	steps atomic.Int64 // until the replica dies; negative = it lives on
	died  atomic.Bool
}

// step ends the goroutine where the replica is dead: what kill -9 leaves behind is there.
func (l *line) step() {
	if l.died.Load() || l.steps.Load() >= 0 && l.steps.Add(-1) < 0 {
		l.died.Store(true)
		runtime.Goexit()
	}
}

func (l *line) reach() error {
	l.step()
	if l.cut.Load() {
		return errors.New("no route to host")
	}
	return nil
}

func (l *line) Get(ctx context.Context, key string) (Entry, error) {
	if err := l.reach(); err != nil {
		return Entry{}, err
	}
	defer l.step()
	return l.Engine.Get(ctx, key)
}

func (l *line) Swap(ctx context.Context, key, old, revision string, value []byte) (bool, error) {
	if err := l.reach(); err != nil {
		return false, err
	}
	defer l.step()
	return l.Engine.Swap(ctx, key, old, revision, value)
}

func (l *line) Lease(ctx context.Context, key, owner string, life time.Duration) (bool, error) {
	if err := l.reach(); err != nil {
		return false, err
	}
	return l.Engine.Lease(ctx, key, owner, life)
}

func (l *line) Release(ctx context.Context, key, owner string) error {
	if err := l.reach(); err != nil {
		return err
	}
	return l.Engine.Release(ctx, key, owner)
}

const sharedKey = Secret("a key of thirty-two characters.." + testkit.Canary)

// A replica is an installation that shares a store.
type replica struct {
	t      *testing.T
	dir    string
	line   *line
	source *Source
}

func newReplica(t *testing.T, engine Engine, p *provider, name string) *replica {
	r := &replica{t: t, dir: filepath.Join(t.TempDir(), name)}
	r.start(engine, p)
	return r
}

// start is what a new process of the installation does.
func (r *replica) start(engine Engine, p *provider) {
	r.t.Helper()
	r.line = &line{Engine: engine}
	r.line.steps.Store(-1)
	l := r.line
	store := &SharedStore{
		Engine: l, Owner: filepath.Base(r.dir), Sealer: testkit.Must(NewSealer(sharedKey))(r.t),
		Journal: FileStore{Dir: r.dir, step: func(string) { l.step() }},
	}
	client := p.client()
	r.source = &Source{Name: "alexa", Store: store, Matches: client.Matches, Renew: func(ctx context.Context, old Grant) (Grant, error) {
		return client.Refresh(ctx, old)
	}}
	testkit.NoError(r.t, r.source.Load())
	r.source.Follow() // as serve does
}

func (r *replica) store() *SharedStore { return r.source.Store.(*SharedStore) }

// token asks as a client does, for half a minute.
func (r *replica) token() (Secret, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 40*time.Second)
	defer cancel()
	token, err := r.source.Token(ctx)
	return token.Access, err
}

// share runs f with two replicas that share a login whose token has just ended.
func share(t *testing.T, f func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica)) {
	synctest.Test(t, func(t *testing.T) {
		engine, p := newMemoryEngine(), newProvider()
		reuse(p)
		first := newReplica(t, engine, p, "first")
		testkit.NoError(t, first.source.Store.Save("alexa", stored(-time.Second)))
		f(t, engine, p, newReplica(t, engine, p, "a"), newReplica(t, engine, p, "b"))
		time.Sleep(time.Hour) // what goes on behind ends
		synctest.Wait()
	})
}

func TestReplicasShareOneRenewal(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		for round := range 20 {
			var asking sync.WaitGroup
			for _, r := range []*replica{a, b} {
				asking.Go(func() {
					if _, err := r.token(); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			asking.Wait()
			time.Sleep(time.Hour + time.Minute)
		}
		if got := p.calls(); got != 20 {
			t.Errorf("%d token calls for 20 rotations", got)
		}
	})
}

// No more renewals are under way at once than there are places.
func TestRenewalsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := make(chan struct{}, 2)
		var now, most atomic.Int64
		var asking sync.WaitGroup
		for i := range 20 {
			source := &Source{Name: fmt.Sprint(i), Store: &MemoryStore{}, Unattended: true, Renewals: places, Renew: func(context.Context, Grant) (Grant, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				return Grant{Access: "x", Renewed: wallNow(), Expiry: wallNow().Add(time.Hour)}, nil
			}}
			asking.Go(func() {
				if _, err := source.Token(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		if most.Load() != 2 {
			t.Errorf("%d at once", most.Load())
		}
	})
}

// A mark is a compare-and-set: who does not win it sends nothing.
func TestWhoLosesTheMarkSendsNothing(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		grant, revision, err := b.store().loadRevision("alexa")
		testkit.NoError(t, err)
		if _, err := a.token(); err != nil {
			t.Fatal(err)
		}
		grant.PendingSince = wallNow()
		if _, err := b.store().saveRevision("alexa", revision, grant); !errors.Is(err, ErrSuperseded) {
			t.Errorf("the mark of a grant that was renewed: %v", err)
		}
		if got, err := b.token(); err != nil || got != "access-1" || p.calls() != 1 {
			t.Errorf("%v, %v, %d calls", got.Reveal(), err, p.calls())
		}
	})
}

// The mark of a replica that died is honoured for the longest answer, and then taken over.
func TestMarkOfADeadReplica(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		marked := stored(-time.Second)
		marked.PendingSince = wallNow()
		_, revision, err := a.store().loadRevision("alexa")
		testkit.NoError(t, err)
		_, err = a.store().saveRevision("alexa", revision, marked)
		testkit.NoError(t, err)
		began := time.Now()
		if _, err := b.token(); err == nil || p.calls() != 0 {
			t.Errorf("it renewed beside the other: %v, %d calls", err, p.calls())
		}
		for {
			if _, err := b.token(); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if waited := time.Since(began); waited < responseTimeout || waited > responseTimeout+2*time.Minute {
			t.Errorf("it took over after %v", waited)
		}
		// Its own mark it need not wait for.
		time.Sleep(2 * time.Hour)
		own, revision, err := b.store().loadRevision("alexa")
		testkit.NoError(t, err)
		own.PendingSince = wallNow()
		_, err = b.store().saveRevision("alexa", revision, own)
		testkit.NoError(t, err)
		b.start(engine, p)
		if _, err := b.token(); err != nil {
			t.Error(err)
		}
	})
}

// invalid_grant means that a sibling won, where the store has another generation by then.
func TestRefusalAfterASiblingWon(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		p.now(func(call int, form url.Values) (*http.Response, error) {
			sibling := stored(time.Hour)
			sibling.Access, sibling.Refresh, sibling.Generation = "sibling's", "newer", 7
			if call == 1 { // meanwhile, by a store that did not hold
				testkit.NoError(t, b.source.Store.Save("alexa", sibling))
			}
			return reply(400, jsonType, `{"error":"invalid_grant"}`), nil
		})
		if got, err := a.token(); err != nil || got != "sibling's" {
			t.Errorf("%v, %v", got.Reveal(), err)
		}
	})
}

// Without the engine present tokens serve to their end, and nobody renews but who has a mark there.
func TestStoreThatIsAway(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		_, err := a.token()
		testkit.NoError(t, err)
		_, err = b.token()
		testkit.NoError(t, err)
		a.line.cut.Store(true)
		b.line.cut.Store(true)
		time.Sleep(58 * time.Minute)
		if _, err := a.token(); err != nil {
			t.Errorf("a live token does not serve: %v", err)
		}
		a.start(engine, p) // a new process finds it in the journal
		a.line.cut.Store(true)
		time.Sleep(5 * time.Minute)
		for _, r := range []*replica{a, b} {
			_, err := r.token()
			if e := asError(err); err == nil || e.Action != ActionRetry || e.RetryAfter == 0 || !isAway(err) {
				t.Errorf("without a store: %v", err)
			}
		}
		if p.calls() != 1 {
			t.Errorf("%d token calls", p.calls())
		}
		a.line.cut.Store(false)
		time.Sleep(time.Minute)
		if _, err := a.token(); err != nil {
			t.Errorf("the store is there again: %v", err)
		}
	})
}

// The holder loses the store while the provider answers late: it tries on by its own mark, which
// its sibling honours.
func TestHolderAloneLosesTheStore(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		answer := p.answer
		p.now(func(call int, form url.Values) (*http.Response, error) {
			a.line.cut.Store(true) // and the provider never got it
			return nil, errDown
		})
		if _, err := a.token(); err == nil {
			t.Fatal("it was renewed")
		}
		p.now(answer)
		time.Sleep(10 * time.Second)
		if _, err := b.token(); err == nil {
			t.Error("the sibling renewed beside the mark")
		}
		var got Secret
		for range 60 {
			if token, err := a.token(); err == nil {
				got = token
				break
			}
			time.Sleep(time.Second)
		}
		if got == "" {
			t.Fatal("the holder did not renew by its mark")
		}
		a.line.cut.Store(false)
		time.Sleep(time.Minute) // it offers what it has
		if token, err := b.token(); err != nil || token != got {
			t.Errorf("%v, %v", token.Reveal(), err)
		}
	})
}

// What an engine lost of acknowledged writes is offered again, by whoever has it.
func TestEngineThatLosesWrites(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		before := engine.copied()
		_, err := a.token()
		testkit.NoError(t, err)
		engine.lose(before)
		a.start(engine, p)
		if token, err := a.token(); err != nil || token != "access-1" {
			t.Errorf("%v, %v", token.Reveal(), err)
		}
		if token, err := b.token(); err != nil || token != "access-1" {
			t.Errorf("%v, %v", token.Reveal(), err)
		}
		engine.lose(map[string]memoryEntry{})
		a.start(engine, p)
		b.start(engine, p)
		if token, err := b.token(); err != nil || token != "access-1" || p.calls() != 1 {
			t.Errorf("%v, %v, %d calls", token.Reveal(), err, p.calls())
		}
		engine.lose(map[string]memoryEntry{}) // so that the logout finds nothing there
		testkit.NoError(t, a.source.Logout(t.Context()))
		b.start(engine, p)
		if _, err := b.token(); !LoginNeeded(err) {
			t.Errorf("a logout is undone by a journal: %v", err)
		}
	})
}

// An entry that another key has sealed is no reason to ask again and again, nor to renew.
func TestRenewalWithAWrongKey(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		_, err := a.token()
		testkit.NoError(t, err)
		a.store().Sealer = testkit.Must(NewSealer("another key, of more than thirty-two characters"))(t)
		time.Sleep(2 * time.Hour)
		if _, err := a.token(); err == nil || !strings.Contains(asError(err).Hint+err.Error(), "another key") {
			t.Errorf("%v", err)
		}
		if _, err := b.token(); err != nil || p.calls() != 2 {
			t.Errorf("the other one: %v, %d calls", err, p.calls())
		}
	})
}

// A mark that the engine lost is offered again: its refresh token may be on its way.
func TestMarkThatTheEngineLost(t *testing.T) {
	for name, lose := range map[string]func(engine *memoryEngine, before map[string]memoryEntry){
		"all":      func(engine *memoryEngine, _ map[string]memoryEntry) { engine.lose(map[string]memoryEntry{}) },
		"the mark": func(engine *memoryEngine, before map[string]memoryEntry) { engine.lose(before) },
	} {
		t.Run(name, func(t *testing.T) {
			share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
				before := engine.copied()
				marked, revision, err := a.store().loadRevision("alexa")
				testkit.NoError(t, err)
				marked.PendingSince = wallNow()
				_, err = a.store().saveRevision("alexa", revision, marked)
				testkit.NoError(t, err)
				lose(engine, before)
				a.source.Follow()
				if _, err := b.token(); err == nil || p.calls() != 0 {
					t.Errorf("the sibling renewed: %v, %d calls", err, p.calls())
				}
			})
		})
	}
}

// A later login is the later one, and a logout ends what was there, whatever the clocks say.
func TestLoginsOfMachinesWithOtherClocks(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		login := func(r *replica, access Secret, ahead time.Duration) {
			t.Helper()
			grant := stored(time.Hour)
			grant.Access, grant.Refresh, grant.Generation = access, access+"-refresh", 0
			grant.LoggedIn = wallNow().Add(ahead)
			testkit.NoError(t, r.source.SetGrant(t.Context(), grant))
		}
		login(b, "first", 10*time.Minute) // its clock is ahead
		login(a, "second", 0)
		a.source.Follow()
		b.source.Follow()
		for _, r := range []*replica{a, b} {
			if got, err := r.token(); err != nil || got != "second" {
				t.Errorf("%v, %v", got.Reveal(), err)
			}
		}
		testkit.NoError(t, a.source.Logout(t.Context()))
		b.start(engine, p)
		if _, err := b.token(); !LoginNeeded(err) {
			t.Errorf("after the logout: %v", err)
		}
		if _, err := b.store().Journal.Load("alexa"); !errors.Is(err, ErrNoGrant) {
			t.Errorf("a journal keeps it: %v", err)
		}
	})
}

// A login that the store could not take does not come back over a logout.
func TestLogoutWhileALoginIsHeld(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		_, err := a.token()
		testkit.NoError(t, err)
		a.source.mu.Lock()
		a.source.unsaved = errors.New("the disk was full")
		a.source.saveSoonLocked()
		a.source.mu.Unlock()
		testkit.NoError(t, b.source.Logout(t.Context()))
		time.Sleep(5 * time.Minute)
		if _, err := b.store().Load("alexa"); !errors.Is(err, ErrNoGrant) {
			t.Errorf("it came back: %v", err)
		}
	})
}

// A refusal does not hold while a sibling is on its way with the same refresh token.
func TestRefusalWhileASiblingRenews(t *testing.T) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		p.now(func(call int, form url.Values) (*http.Response, error) {
			if call == 1 { // a was stopped for so long that b has taken its mark over
				marked, revision, err := b.store().loadRevision("alexa")
				testkit.NoError(t, err)
				marked.PendingSince = wallNow()
				_, err = b.store().saveRevision("alexa", revision, marked)
				testkit.NoError(t, err)
			}
			return reply(400, jsonType, `{"error":"invalid_grant"}`), nil
		})
		if _, err := a.token(); err == nil || LoginNeeded(err) || p.calls() != 1 {
			t.Errorf("%v, %d calls", err, p.calls())
		}
		if stored, err := b.store().Load("alexa"); err != nil || stored.Refused != "" {
			t.Errorf("%+v, %v", stored, err)
		}
	})
}

// Clocks that are minutes apart cost no renewal.
func TestClocksApart(t *testing.T) {
	grant := stored(time.Hour)
	for _, ahead := range []time.Duration{5 * time.Minute, -5 * time.Minute, time.Second} {
		moved := grant.byOurClock(ahead)
		want := ahead
		if ahead.Abs() < clockTolerance {
			want = 0
		}
		if moved.Expiry.Sub(grant.Expiry) != want || !moved.LoggedIn.Equal(grant.LoggedIn) || !moved.PendingSince.IsZero() {
			t.Errorf("%v: %+v", ahead, moved)
		}
	}
}

func TestSealing(t *testing.T) {
	engine := newMemoryEngine()
	store := func(key Secret, old ...Secret) *SharedStore {
		return &SharedStore{Engine: engine, Owner: "x", Sealer: testkit.Must(NewSealer(key, old...))(t), Journal: FileStore{Dir: t.TempDir()}}
	}
	const other = Secret("another key, of more than thirty-two characters")
	grant := stored(time.Hour)
	testkit.NoError(t, store(sharedKey).Save("alexa", grant))
	testkit.NoError(t, store(sharedKey).Save("other", grant))
	for _, entry := range engine.entries {
		if text := string(entry.value); strings.Contains(text, grant.Access.Reveal()) || strings.Contains(text, grant.Refresh.Reveal()) || strings.Contains(text, grant.ClientID) {
			t.Errorf("in the clear: %s", text)
		}
	}
	var unusable *UnusableError
	before := engine.copied()
	if _, err := store(other).Load("alexa"); !errors.As(err, &unusable) || !strings.Contains(err.Error(), "another key") {
		t.Errorf("a wrong key: %v", err)
	}
	if err := store(other).Save("alexa", grant); !errors.As(err, &unusable) || engine.entries["grant:alexa"].revision != before["grant:alexa"].revision {
		t.Errorf("a wrong key changed something: %v", err)
	}
	rotated := store(other, sharedKey)
	if got, err := rotated.Load("alexa"); err != nil || !got.sameTokens(grant) {
		t.Errorf("an old key: %v", err)
	}
	testkit.NoError(t, rotated.Save("alexa", grant))
	if _, err := store(other).Load("alexa"); err != nil {
		t.Error(err)
	}
	engine.entries["grant:alexa"] = engine.entries["grant:other"]
	if _, err := rotated.Load("alexa"); !errors.As(err, &unusable) || !strings.Contains(err.Error(), "belongs to another credential") {
		t.Errorf("another's entry: %v", err)
	}
	if _, err := NewSealer("short"); err == nil {
		t.Error("a short key")
	}
	if text := fmt.Sprintf("%v %+v %s", store(sharedKey), store(sharedKey), store(sharedKey)); strings.Contains(text, testkit.Canary) {
		t.Error(text)
	}
}

// TestReplicasThatDie has replicas killed at random steps of renewals, the engine cut off and set
// back, and asks for tokens all the while. The provider revokes a login when a refresh token comes back whose
// successor was used: no schedule may make that happen.
func TestReplicasThatDie(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, seed) })
	}
}

func simulate(t *testing.T, seed uint64) {
	share(t, func(t *testing.T, engine *memoryEngine, p *provider, a, b *replica) {
		random := rand.New(rand.NewPCG(seed, 1))
		family := &lenientFamily{last: "Atzr|stored"}
		p.now(family.answer)
		replicas := []*replica{a, b}
		deaths, served := 0, 0
		for range 120 {
			r := replicas[random.IntN(2)]
			switch random.IntN(8) {
			case 0: // it dies some steps later
				r.line.steps.Store(int64(random.IntN(14)))
			case 1:
				r.line.cut.Store(!r.line.cut.Load())
			case 2:
				time.Sleep(time.Duration(random.IntN(70)) * time.Minute)
			}
			if r.line.died.Load() {
				deaths++
				r.start(engine, p)
			}
			done := make(chan bool, 1)
			go func() {
				defer close(done) // also where the replica dies
				_, err := r.token()
				done <- err == nil
			}()
			if <-done {
				served++
			}
			time.Sleep(time.Duration(random.IntN(600)) * time.Second)
		}
		if revoked, rotations := family.state(); revoked {
			t.Errorf("the login was revoked")
		} else if calls := p.calls(); calls > rotations+2*deaths+5 {
			t.Errorf("%d calls for %d rotations and %d deaths", calls, rotations, deaths)
		}
		for _, r := range replicas {
			r.line.cut.Store(false)
			r.line.steps.Store(-1)
			if r.line.died.Load() {
				r.start(engine, p)
			}
		}
		time.Sleep(20 * time.Minute)
		for _, r := range replicas {
			if _, err := r.token(); err != nil {
				t.Errorf("in the end: %v", err)
			}
		}
		if served == 0 {
			t.Error("nothing was ever served")
		}
	})
}

// A lenientFamily gives the same successor again to who lost it, as providers do, and revokes a
// login when the refresh token before the last one used comes back.
type lenientFamily struct {
	mu              sync.Mutex
	last, successor string // the last that was used, and what came of it
	used            map[string]bool
	rotations       int
	revoked         bool
}

func (f *lenientFamily) state() (revoked bool, rotations int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revoked, f.rotations
}

func (f *lenientFamily) answer(call int, form url.Values) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := form.Get("refresh_token")
	switch {
	case f.revoked || f.used[sent]:
		f.revoked = true
		return reply(400, jsonType, `{"error":"invalid_grant"}`), nil
	case f.successor == "" || sent == f.successor:
		if f.used == nil {
			f.used = map[string]bool{}
		}
		if f.successor != "" {
			f.used[f.last] = true
		}
		f.last = sent
		f.rotations++
		f.successor = fmt.Sprintf("refresh-%d", f.rotations)
	}
	return reply(200, jsonType, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"%s","expires_in":3600}`, call, f.successor)), nil
}
