package tokens

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

// A SharedStore keeps grants in an [Engine] that processes on many machines use, sealed before
// they leave this one, and beside it a journal on this machine. Whatever the engine loses or
// refuses, these hold:
//
//   - The mark of a renewal is a compare-and-set: who does not win it sends nothing.
//   - A renewed grant goes to the journal first, and from there to the engine, again and again
//     if need be, as long as the engine has an older one.
//   - The lock saves work. That two renew at once is prevented by the marks.
//   - Without the engine nobody renews but who has a mark there from before.
type SharedStore struct {
	Engine  Engine
	Journal FileStore
	Sealer  *Sealer
	// Owner names this installation in marks; it outlives the process.
	Owner string
	// LongestAnswer is for how long another one's mark is honoured; zero = somewhat longer than
	// an answer is waited for.
	LongestAnswer time.Duration
	// Waiting is as in [FileStore].
	Waiting func(string)
}

const (
	engineTimeout  = 5 * time.Second // of one operation
	markGrace      = 30 * time.Second
	sharedAttempts = 5 // at a compare-and-set that others win
)

// Format hides the keys.
func (s *SharedStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.Engine.String()) }

func (s *SharedStore) away(err error) error { return &StoreAwayError{s.Engine.String(), err} }

func (s *SharedStore) where(name string) string { return s.Engine.String() + ", " + name }

func entryKey(name string) string { return "grant:" + name }

// Load implements [Store].
func (s *SharedStore) Load(name string) (Grant, error) {
	grant, _, err := s.loadRevision(name)
	return grant, err
}

// loadRevision returns a grant and the revision of its entry. What the engine has lost of it is
// offered again from the journal.
func (s *SharedStore) loadRevision(name string) (Grant, string, error) {
	for range sharedAttempts {
		entry, stored, err := s.get(name)
		if err != nil {
			return Grant{}, "", err
		}
		kept, keptErr := s.Journal.Load(name)
		switch {
		case keptErr == nil && s.outlives(kept, entry, stored):
			if revision, err := s.swap(name, entry.Revision, kept); err == nil {
				return kept, revision, nil
			} else if !errors.Is(err, ErrSuperseded) {
				return Grant{}, "", err
			}
		case entry.Revision == "" || stored.deleted:
			return Grant{}, entry.Revision, ErrNoGrant
		default:
			if stored.PendingSince.IsZero() && stored.Refused == "" && (keptErr != nil || !kept.sameTokens(stored.Grant)) {
				_ = s.Journal.Save(name, stored.Grant) // so that each machine could offer it, should the engine lose it
			}
			return stored.Grant, entry.Revision, nil
		}
	}
	return Grant{}, "", ErrSuperseded
}

// outlives reports whether the journal has something newer than the engine.
func (s *SharedStore) outlives(kept Grant, entry Entry, stored storedShared) bool {
	switch {
	case !kept.PendingSince.IsZero() || kept.Refused != "":
		return false
	case entry.Revision == "":
		return true
	case stored.deleted:
		return kept.LoggedIn.After(stored.at)
	case !kept.LoggedIn.Equal(stored.LoggedIn):
		return kept.LoggedIn.After(stored.LoggedIn)
	}
	return kept.Generation > stored.Generation
}

// A storedShared is what the engine has of a grant, by our clock.
type storedShared struct {
	Grant
	deleted bool
	at      time.Time // when it was written
}

func (s *SharedStore) get(name string) (Entry, storedShared, error) {
	ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	entry, err := s.Engine.Get(ctx, entryKey(name))
	if err != nil {
		return entry, storedShared{}, s.away(err)
	}
	if entry.Revision == "" {
		return entry, storedShared{}, nil
	}
	plain, err := s.Sealer.open(s.where(name), name, entry.Value)
	if err != nil {
		return entry, storedShared{}, err
	}
	var shared sharedGrant
	if json.Unmarshal(plain, &shared) != nil {
		return entry, storedShared{}, damaged(s.where(name))
	}
	written := wallNow().Add(-entry.Age)
	if shared.Deleted {
		return entry, storedShared{deleted: true, at: written}, nil
	}
	grant, err := parseGrant(s.where(name), name, shared.Grant)
	if err != nil {
		return entry, storedShared{}, err
	}
	grant = grant.byOurClock(written.Sub(shared.At))
	if !grant.PendingSince.IsZero() && shared.Owner != s.Owner {
		grant.MarkedFor = max(0, s.longestAnswer()-entry.Age)
	}
	return entry, storedShared{Grant: grant, at: written}, nil
}

func (s *SharedStore) longestAnswer() time.Duration {
	if s.LongestAnswer != 0 {
		return s.LongestAnswer
	}
	return responseTimeout + markGrace
}

// Save implements [Store], for logins: what is stored gives way.
func (s *SharedStore) Save(name string, grant Grant) error {
	journalErr := s.Journal.Save(name, grant)
	return s.force(name, journalErr, func(revision string) error {
		_, err := s.swap(name, revision, grant)
		return err
	})
}

// force writes over what others may write at the same time.
func (s *SharedStore) force(name string, journalErr error, write func(revision string) error) error {
	err := ErrSuperseded
	for i := 0; i < sharedAttempts && errors.Is(err, ErrSuperseded); i++ {
		var entry Entry
		if entry, _, err = s.get(name); err == nil {
			err = write(entry.Revision)
		}
	}
	if err != nil {
		return errors.Join(err, journalErr)
	}
	return nil // the engine has it, whatever the disk here does
}

// saveRevision saves a grant in the place of that with a revision. The error is [ErrSuperseded]
// where another process has saved something that is not older.
func (s *SharedStore) saveRevision(name, revision string, grant Grant) (string, error) {
	if !grant.PendingSince.IsZero() { // a mark counts only where others see it
		revision, err := s.swap(name, revision, grant)
		if err != nil {
			return "", err
		}
		_ = s.Journal.Save(name, grant) // without it, this mark is another one's after a crash
		return revision, nil
	}
	journalErr := s.Journal.Save(name, grant)
	for range sharedAttempts {
		saved, err := s.swap(name, revision, grant)
		if !errors.Is(err, ErrSuperseded) {
			return saved, errors.Join(err, errorIf(err != nil, journalErr))
		}
		entry, stored, err := s.get(name)
		switch {
		case err != nil:
			return "", err
		case !s.outlives(grant, entry, stored):
			return "", ErrSuperseded
		}
		revision = entry.Revision
	}
	return "", ErrSuperseded
}

func errorIf(condition bool, err error) error {
	if condition {
		return err
	}
	return nil
}

// swap is the compare-and-set.
func (s *SharedStore) swap(name, old string, grant Grant) (revision string, err error) {
	text, err := formatGrant(name, grant)
	if err != nil {
		return "", err
	}
	return s.write(name, old, grant.Generation, sharedGrant{At: wallNow(), Owner: s.Owner, Grant: text})
}

func (s *SharedStore) write(name, old string, generation int, shared sharedGrant) (revision string, err error) {
	plain, err := json.Marshal(shared)
	if err != nil {
		return "", err
	}
	value, err := s.Sealer.seal(name, generation, plain)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	revision = rand.Text()
	switch won, err := s.Engine.Swap(ctx, entryKey(name), old, revision, value); {
	case err != nil:
		return "", s.away(err)
	case !won:
		return "", ErrSuperseded
	}
	return revision, nil
}

// Delete implements [Store]. A note of the logout stays: a replica that was away must not offer
// the login again.
func (s *SharedStore) Delete(name string) error {
	journalErr := s.Journal.Delete(name)
	return s.force(name, journalErr, func(revision string) error {
		_, err := s.write(name, revision, 0, sharedGrant{At: wallNow(), Owner: s.Owner, Deleted: true})
		return err
	})
}

// ownMark returns the grant that this installation has marked and not renewed, as far as it may
// still be sent without asking the engine: others honour the mark until then.
func (s *SharedStore) ownMark(name string) (grant Grant, left time.Duration) {
	grant, err := s.Journal.Load(name)
	if err != nil || grant.PendingSince.IsZero() || grant.Refused != "" {
		return Grant{}, 0
	}
	return grant, s.longestAnswer() - wallNow().Sub(grant.PendingSince) - s.longestAnswer()/10
}

// Lock implements [Store].
func (s *SharedStore) Lock(ctx context.Context, name string) (func(), error) {
	unlock, _, err := s.lease(ctx, name)
	return unlock, err
}

// lease is Lock; lost is closed where the lease ends before unlock.
func (s *SharedStore) lease(ctx context.Context, name string) (unlock func(), lost <-chan struct{}, err error) {
	unlockHere, err := s.Journal.Lock(ctx, name) // others with our marks
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if unlock == nil {
			unlockHere()
		}
	}()
	held := lease{s.Engine, "lock:" + name, rand.Text()}
	began, said := time.Now(), false
	for {
		got, err := held.take()
		if err != nil {
			return nil, nil, s.away(err)
		}
		if got {
			release, lost := held.keep()
			return func() {
				defer unlockHere()
				release()
			}, lost, nil
		}
		if !said && time.Since(began) > time.Second && s.Waiting != nil {
			s.Waiting(s.where(name))
			said = true
		}
		select {
		case <-time.After(50*time.Millisecond + mathrand.N(150*time.Millisecond)):
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("waiting for the lock of %s, which another process holds: %w", s.where(name), ctx.Err())
		}
	}
}

// Tidy is that of [FileStore].
func (s *SharedStore) Tidy() { s.Journal.Tidy() }

func (s *SharedStore) unread(name string) unreadFiles { return s.Journal.unread(name) }

// Advise is that of the engine.
func (s *SharedStore) Advise(ctx context.Context) ([]string, error) { return s.Engine.Advise(ctx) }
