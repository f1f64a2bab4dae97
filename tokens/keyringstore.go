package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"avsproxy/internal/charset"
	"avsproxy/internal/secretsource"

	"github.com/zalando/go-keyring"
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
	return joined(name, grant, entry)
}

// Save implements [Store].
func (k *KeyringStore) Save(name string, grant Grant) error {
	var found *UnusableError
	if _, err := k.file().Load(name); errors.As(err, &found) && !found.damaged {
		return err // before the keyring is touched, since this file will not be overwritten
	}
	entry, rest, err := split(name, grant)
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
	return unusable("the system's keyring", "cannot be used: "+charset.Printable(strings.ReplaceAll(err.Error(), "\n", " ")),
		`unlock it or start it in this session, or set store.kind = "file" and log in again`)
}
