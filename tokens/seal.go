package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// MinKey is how many characters the key of a [Sealer] has at least.
const MinKey = 32

// A Sealer encrypts what leaves the process for a shared store, by AES-256-GCM with a random nonce.
type Sealer struct {
	keys []sealKey // the first seals
}

type sealKey struct {
	id   string
	aead cipher.AEAD
}

// NewSealer returns one that seals by key, and opens what old keys have sealed, too. Keys are
// random text of [MinKey] characters or more.
func NewSealer(key Secret, old ...Secret) (*Sealer, error) {
	s := new(Sealer)
	for _, secret := range append([]Secret{key}, old...) {
		if len(secret) < MinKey {
			return nil, fmt.Errorf("an encryption key has at least %d characters", MinKey)
		}
		derived, err := hkdf.Key(sha256.New, []byte(secret), nil, "avsproxy shared store", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sealKey{Fingerprint(Secret(derived)), aead})
	}
	return s, nil
}

// A sealedEntry is the form in which a shared store has something. What is in the clear is
// bound to what is sealed.
type sealedEntry struct {
	Version    int    `json:"version"`
	Key        string `json:"key"` // which one sealed it
	Generation int    `json:"generation"`
	Sealed     []byte `json:"sealed"`
}

// boundTo keeps a sealed text from being taken for that of another credential or generation.
func (e sealedEntry) boundTo(name string) []byte {
	return fmt.Appendf(nil, "avsproxy %d\n%s\n%d", e.Version, name, e.Generation)
}

func (s *Sealer) seal(name string, generation int, plain []byte) ([]byte, error) {
	e := sealedEntry{Version: formatVersion, Key: s.keys[0].id, Generation: generation}
	e.Sealed = s.keys[0].aead.Seal(nil, nil, plain, e.boundTo(name))
	return json.Marshal(e)
}

func (s *Sealer) open(where, name string, text []byte) ([]byte, error) {
	var e sealedEntry
	if json.Unmarshal(text, &e) != nil || e.Version < 1 {
		return nil, unusable(where, "holds something that avsproxy did not write", "see which other program uses this store, or give avsproxy one of its own")
	}
	if e.Version > formatVersion {
		return nil, unusable(where, fmt.Sprintf("was written by a newer avsproxy (format %d)", e.Version), "use that version on all machines")
	}
	i := slices.IndexFunc(s.keys, func(k sealKey) bool { return k.id == e.Key })
	if i < 0 {
		return nil, unusable(where, "was encrypted with another key", "set encryption_key in [store] to the one that the other machines have, or list it in old_encryption_keys")
	}
	plain, err := s.keys[i].aead.Open(nil, nil, e.Sealed, e.boundTo(name))
	if err != nil {
		e := unusable(where, "was changed, or belongs to another credential", "put a backup in its place, or log in again")
		e.damaged = true
		return nil, e
	}
	return plain, nil
}

// A sharedGrant is what is sealed of a grant. Machines have clocks of their own: At is the
// writer's, by which the reader finds out how far they are apart.
type sharedGrant struct {
	At       time.Time       `json:"at"`
	Owner    string          `json:"owner"`              // who wrote it
	Deleted  bool            `json:"deleted,omitempty"`  // by a logout
	LoggedIn time.Time       `json:"logged_in,omitzero"` // of what was deleted
	Grant    json.RawMessage `json:"grant,omitempty"`    // an envelope
}

// clockTolerance is how far clocks may be apart that count as the same.
const clockTolerance = 2 * time.Second

// byOurClock moves the times of a grant from the writer's clock to ours; ahead is how far ours is
// ahead. LoggedIn names the login, and stays.
func (g Grant) byOurClock(ahead time.Duration) Grant {
	if ahead.Abs() < clockTolerance {
		return g
	}
	for _, t := range []*time.Time{&g.Renewed, &g.Expiry, &g.PendingSince, &g.Failed.At, &g.Failed.Retry, &g.Failed.Last} {
		if !t.IsZero() {
			*t = t.Add(ahead)
		}
	}
	return g
}
