package tokens

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/zalando/go-keyring"

	"avsproxy/internal/secretsource"
)

// A KeyringStore keeps the secret of each login in the keyring of the system
// (Keychain, Credential Manager, Secret Service) and everything else in a file in
// Dir/keyring, where the access token is sealed under a key that is derived from
// the secret: the file alone is worth nothing, and processes that share the store
// can still adopt each other's tokens. The folder is one of its own because a
// [FileStore] would take a sealed token for a token.
//
// The secret is the refresh token or, in a grant without one, the access token:
// some keyrings take no more than 2.5 kB. A keyring that is locked or missing is
// an [*UnusableError], never a reason to put a secret into a file. One process
// should use one KeyringStore, for it keeps the calls to the keyring in order.
//
// [KeyringStore.Save] writes the keyring first, then the file, and
// [KeyringStore.Delete] goes the same way, so a crash, or a read without the lock,
// between the two finds the new entry beside the old file. Of a login that was
// there before this is its refresh token without an access token, and the next use
// renews it; of the first one it is nothing, as if the crash had come before Save;
// of a deleted one it is a file that counts as nothing.
type KeyringStore struct {
	Dir string
	// Service names the program in the keyring; empty = "avsproxy". Stores in
	// different folders need different ones, or they take each other's entries.
	Service string
	// Recovered and Waiting are as in [FileStore].
	Recovered, Waiting func(path string)

	keyring secretsource.Keyring
}

var errNoAnswer = errors.New("it did not answer in time")

func (k *KeyringStore) file() FileStore {
	return FileStore{Dir: filepath.Join(k.Dir, "keyring"), Recovered: k.Recovered, Waiting: k.Waiting}
}

func (k *KeyringStore) service() string { return cmp.Or(k.Service, "avsproxy") }

// Load implements [Store]. Where the file or the entry is gone there is no grant:
// nothing is left that a new login could destroy. The file is read first, so that
// beside a save the newer refresh token is seen, not one that was spent.
func (k *KeyringStore) Load(name string) (Grant, error) {
	grant, err := k.file().Load(name)
	if err != nil {
		return Grant{}, err
	}
	entry, err := k.get(name)
	if err != nil {
		return Grant{}, err
	}
	return joinGrant(name, grant, entry)
}

// Save implements [Store].
func (k *KeyringStore) Save(name string, grant Grant) error {
	if _, err := k.file().Load(name); err != nil && !errors.Is(err, ErrNoGrant) && !isDamaged(err) {
		return err // before the keyring is touched, since this file will not be overwritten
	}
	entry, rest, err := splitGrant(name, grant)
	if err != nil {
		return fmt.Errorf("sealing the login of %s: %w", name, err)
	}
	if err := k.put(name, entry); err != nil {
		return err
	}
	return k.file().Save(name, rest)
}

// Delete implements [Store].
func (k *KeyringStore) Delete(name string) error {
	_, err := k.call(func() (string, error) { return "", keyring.Delete(k.service(), name) })
	if err != nil && !errors.Is(err, ErrNoGrant) {
		return err
	}
	return k.file().Delete(name)
}

// Lock implements [Store], as [FileStore] does.
func (k *KeyringStore) Lock(ctx context.Context, name string) (func(), error) {
	return k.file().Lock(ctx, name)
}

// put makes sure that the keyring holds entry. It reads it back, since the Secret
// Service reports a prompt that was dismissed as a success.
func (k *KeyringStore) put(name, entry string) error {
	present, err := k.get(name)
	if err == nil && present == entry {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNoGrant) {
		return err
	}
	if _, err := k.call(func() (string, error) { return "", keyring.Set(k.service(), name, entry) }); err != nil {
		return err
	}
	if present, err = k.get(name); err == nil && present != entry {
		err = keyringError(errors.New("it did not keep what it was given"))
	}
	return err
}

func (k *KeyringStore) get(name string) (string, error) {
	return k.call(func() (string, error) { return keyring.Get(k.service(), name) })
}

func (k *KeyringStore) call(do func() (string, error)) (string, error) {
	text, err := k.keyring.Call(context.Background(), do)
	if errors.Is(err, secretsource.ErrTimeout) {
		err = errNoAnswer
	}
	return text, keyringError(err)
}

// keyringError says what to do about an error of the keyring.
func keyringError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return fmt.Errorf("%w in the keyring", ErrNoGrant)
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return unusable("the system's keyring", "takes no token as long as this one", `set store.kind = "file" and log in again`)
	}
	return unusable("the system's keyring", "cannot be used: "+sentence(err.Error()),
		`unlock it or start it in this session, or set store.kind = "file" and log in again`)
}

// Tidy is that of [FileStore].
func (k *KeyringStore) Tidy() { k.file().Tidy() }

func (k *KeyringStore) unread(name string) unreadFiles { return k.file().unread(name) }

// entryPrefix stands before the token in a keyring entry: a fingerprint of the token's
// kind and of its client. The entry may be newer than the file, and a token must not be
// sent as another kind of token or to another provider.
func entryPrefix(kind string, grant Grant) string {
	return Fingerprint(Secret(kind+"\n"+grant.ClientID+"\n"+grant.Issuer)) + ":"
}

const (
	kindAccess  = "access_token"
	kindRefresh = "refresh_token"
	sealMark    = "sealed:"
)

// splitGrant divides a grant into the entry for the keyring and the rest for a file.
func splitGrant(name string, grant Grant) (entry string, rest Grant, err error) {
	entry = entryPrefix(kindRefresh, grant) + grant.Refresh.Reveal()
	if grant.Refresh.IsZero() {
		entry = entryPrefix(kindAccess, grant) + grant.Access.Reveal()
	}
	grant.Access, err = seal(name, entry, grant.Access)
	grant.Refresh = ""
	return entry, grant, err
}

// joinGrant puts together what splitGrant divided. A rest that was not sealed under this
// entry is older: its access token is lost, and its refusal or mark is about another
// refresh token.
func joinGrant(name string, rest Grant, entry string) (Grant, error) {
	refresh, renewable := strings.CutPrefix(entry, entryPrefix(kindRefresh, rest))
	switch {
	case renewable:
		rest.Refresh = Secret(refresh)
	case !strings.HasPrefix(entry, entryPrefix(kindAccess, rest)):
		return Grant{}, fmt.Errorf("%w: the one in the keyring was made for another client_id or provider", ErrNoGrant)
	}
	access, err := unseal(name, entry, rest.Access)
	if err != nil {
		access, rest.Refused, rest.PendingSince = "", "", time.Time{}
	}
	rest.Access = access
	return rest, nil
}

// seal encrypts an access token with AES-256-GCM, bound to the credential's name.
// The random nonce comes first.
func seal(name, entry string, access Secret) (Secret, error) {
	box, err := newAEAD(entry)
	if err != nil {
		return "", err
	}
	sealed := box.Seal(nil, nil, []byte(access), []byte(name))
	return Secret(sealMark + base64.StdEncoding.EncodeToString(sealed)), nil
}

func unseal(name, entry string, sealed Secret) (Secret, error) {
	box, err := newAEAD(entry)
	if err != nil {
		return "", err
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed.Reveal(), sealMark))
	if err != nil {
		return "", err
	}
	access, err := box.Open(nil, nil, text, []byte(name))
	return Secret(access), err
}

// newAEAD derives its key with HKDF (RFC 5869); tokens have the entropy for that.
func newAEAD(entry string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(entry), nil, "avsproxy: access token beside a keyring entry", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
