package tokens

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
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
	// Owner names this installation in marks. KeepOwner is called before each write, so that
	// the name outlives the process; nil = it need not.
	Owner     string
	KeepOwner func()
	// LongestAnswer is for how long another one's mark is honoured; zero = somewhat longer than
	// an answer is waited for.
	LongestAnswer time.Duration
	// Waiting is as in [FileStore].
	Waiting func(string)

	marks sync.Map // by name, when this process set its last mark
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

// Load implements [Store]. It changes nothing.
func (s *SharedStore) Load(name string) (Grant, error) {
	entry, stored, err := s.get(name)
	if err != nil {
		return Grant{}, err
	}
	if kept, err := s.Journal.Load(name); err == nil && s.outlives(kept, entry, stored) {
		return kept, nil
	}
	if entry.Revision == "" || stored.deleted {
		return Grant{}, ErrNoGrant
	}
	return stored.Grant, nil
}

// loadRevision is Load for who goes on from there, with the revision of the entry. What the engine
// has lost is offered again from the journal, and the journal learns what the engine has.
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
			if stored.deleted && keptErr == nil {
				_ = s.Journal.Delete(name) // the logout is for this machine, too
			}
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

// outlives reports whether what is kept here is newer than what the engine has. Of one
// generation, a mark of ours that the engine has lost is.
func (s *SharedStore) outlives(kept Grant, entry Entry, stored storedShared) bool {
	switch {
	case kept.Refused != "" || kept.sameTokens(Grant{}):
		return false
	case entry.Revision == "":
		return true
	case stored.deleted:
		return kept.LoggedIn.After(stored.LoggedIn)
	case kept.laterThan(stored.Grant):
		return true
	}
	age := wallNow().Sub(kept.PendingSince)
	return kept.sameTokens(stored.Grant) && !kept.PendingSince.IsZero() && stored.PendingSince.IsZero() && age >= 0 && age < s.longestAnswer()
}

// lacks reports whether a grant that only memory has is newer than what the engine has.
func (s *SharedStore) lacks(name string, held Grant) bool {
	entry, stored, err := s.get(name)
	return err == nil && s.outlives(held, entry, stored)
}

// A storedShared is what the engine has of a grant, by our clock.
type storedShared struct {
	Grant
	deleted bool // LoggedIn is then that of what was there
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
	if shared.Deleted {
		return entry, storedShared{Grant{LoggedIn: shared.LoggedIn}, true}, nil
	}
	grant, err := parseGrant(s.where(name), name, shared.Grant)
	if err != nil {
		return entry, storedShared{}, err
	}
	grant = grant.byOurClock(wallNow().Add(-entry.Age).Sub(shared.At))
	if !grant.PendingSince.IsZero() && shared.Owner != s.Owner {
		grant.MarkedFor = max(0, s.longestAnswer()-entry.Age)
	}
	return entry, storedShared{Grant: grant}, nil
}

func (s *SharedStore) longestAnswer() time.Duration {
	if s.LongestAnswer != 0 {
		return s.LongestAnswer
	}
	return responseTimeout + markGrace
}

// Save implements [Store], for logins: what is stored gives way. A later login has a later
// time, whatever the clocks of the machines say.
func (s *SharedStore) Save(name string, grant Grant) error {
	if _, stored, err := s.get(name); err == nil && !grant.LoggedIn.After(stored.LoggedIn) {
		grant.LoggedIn = stored.LoggedIn.Add(time.Millisecond)
	}
	journalErr := s.Journal.Save(name, grant)
	return s.force(name, journalErr, func(revision string, _ time.Time) error {
		_, err := s.swap(name, revision, grant)
		return err
	})
}

// force writes over what others may write at the same time, and over what is damaged.
func (s *SharedStore) force(name string, journalErr error, write func(revision string, loggedIn time.Time) error) error {
	err := ErrSuperseded
	for i := 0; i < sharedAttempts && errors.Is(err, ErrSuperseded); i++ {
		var entry Entry
		var stored storedShared
		if entry, stored, err = s.get(name); err == nil || isDamaged(err) {
			err = write(entry.Revision, stored.LoggedIn)
		}
	}
	if err != nil {
		return errors.Join(err, journalErr)
	}
	return nil // as in saveRevision
}

// saveRevision saves a grant in the place of that with a revision. The error is [ErrSuperseded]
// where another process has saved something that is not older.
func (s *SharedStore) saveRevision(name, revision string, grant Grant) (string, error) {
	if !grant.PendingSince.IsZero() { // a mark counts only where others see it
		revision, err := s.swap(name, revision, grant)
		if err != nil {
			return "", err
		}
		_ = s.Journal.Save(name, grant) // so that it could be offered, should the engine lose it
		s.marks.Store(name, time.Now())
		return revision, nil
	}
	journalErr := s.Journal.Save(name, grant)
	for range sharedAttempts {
		saved, err := s.swap(name, revision, grant)
		if err == nil {
			return saved, nil // the engine has it, whatever the disk here does
		}
		if !errors.Is(err, ErrSuperseded) {
			return "", errors.Join(err, journalErr)
		}
		entry, stored, err := s.get(name)
		switch {
		case err != nil:
			return "", errors.Join(err, journalErr)
		case !s.outlives(grant, entry, stored):
			return "", ErrSuperseded
		}
		revision = entry.Revision
	}
	return "", ErrSuperseded
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
	if s.KeepOwner != nil {
		s.KeepOwner()
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

// Delete implements [Store]. A note of the logout stays, with the time of the login that it
// ended: a replica that was away must not offer that again.
func (s *SharedStore) Delete(name string) error {
	kept, _ := s.Journal.Load(name) // the engine may have lost it
	journalErr := s.Journal.Delete(name)
	return s.force(name, journalErr, func(revision string, loggedIn time.Time) error {
		if kept.LoggedIn.After(loggedIn) {
			loggedIn = kept.LoggedIn
		}
		_, err := s.write(name, revision, 0, sharedGrant{At: wallNow(), Owner: s.Owner, Deleted: true, LoggedIn: loggedIn})
		return err
	})
}

// ownMark returns the grant that this process has marked and not renewed, and for how long it may
// still be sent without asking the engine: others honour the mark until then. Of the two clocks the one counts
// by which more time has passed: one stops while the machine sleeps, the other may be set back.
func (s *SharedStore) ownMark(name string) (grant Grant, left time.Duration) {
	grant, err := s.Journal.Load(name)
	set, ours := s.marks.Load(name)
	if err != nil || !ours || grant.PendingSince.IsZero() || grant.Refused != "" {
		return Grant{}, 0
	}
	byWall := wallNow().Sub(grant.PendingSince)
	if byWall < 0 {
		return Grant{}, 0
	}
	return grant, s.longestAnswer()*9/10 - max(byWall, time.Since(set.(time.Time)))
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
