package tokens

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"avsproxy/internal/durable"
)

// A FileStore keeps each grant in a file of its own, readable by its owner
// alone, in the folder Dir. A save is atomic and durable: temporary file, fsync,
// rename, fsync of the folder. The lock is a side file, never the data.
type FileStore struct {
	Dir string
	// Recovered, if set, is called with a damaged file that is replaced by the generation
	// before it.
	Recovered func(path string)
	// Waiting, if set, is called with a lock that another process holds for longer than a
	// second.
	Waiting func(path string)

	step func(string) // for tests that end the process between two steps; nil = no test
}

const grantMaxBytes = 1 << 20 // a grant is a few kB; anything larger is no grant of ours

func (f FileStore) unread(name string) unreadFiles { return unreadFiles{f.Dir, name} }

// Path returns the file that holds (or would hold) the named grant.
func (f FileStore) Path(name string) string {
	return filepath.Join(f.Dir, name+".grant.json")
}

// Load implements [Store]. It refuses files that others can read and files of
// other users, as ssh does with its keys. Instead of a damaged file it returns the generation before it, marked,
// since its refresh token may be spent. Instead of a marked grant it returns the
// successor that a killed process had written but not put in its place.
func (f FileStore) Load(name string) (Grant, error) {
	grant, _, err := f.read(name, f.Path(name))
	if err == nil && !grant.PendingSince.IsZero() {
		return f.findSuccessor(name, grant), nil
	}
	if !isDamaged(err) {
		return grant, err
	}
	previous, _, prevErr := f.read(name, f.previous(name))
	if prevErr != nil {
		return Grant{}, err
	}
	if f.Recovered != nil {
		f.Recovered(f.Path(name))
	}
	previous.PendingSince = cmp.Or(previous.PendingSince, wallNow())
	return previous, nil
}

// findSuccessor returns the successor of a marked grant that a process wrote before it
// was killed: to a temporary file or, on a full disk, to that of the previous generation.
func (f FileStore) findSuccessor(name string, marked Grant) Grant {
	for _, file := range durable.Leftovers(f.target(name)) {
		if grant, _, err := f.read(name, file); err == nil && grant.succeeds(marked) {
			return grant
		}
	}
	if grant, _, err := f.read(name, f.previous(name)); err == nil && grant.succeeds(marked) && grant.Generation > marked.Generation {
		return grant
	}
	return marked
}

// read returns the grant in a file, and the file as it is.
func (f FileStore) read(name, path string) (Grant, []byte, error) {
	file, info, err := durable.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Grant{}, nil, noGrant(path)
	}
	if err != nil {
		return Grant{}, nil, unusable(path, "cannot be read: "+reason(err), "check its owner and mode, and the folder's")
	}
	defer file.Close()
	if err := checkPrivate(path, info); err != nil {
		return Grant{}, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, grantMaxBytes))
	if err != nil {
		return Grant{}, nil, unusable(path, "cannot be read: "+reason(err), "check the disk")
	}
	grant, err := parseGrant(path, name, text)
	return grant, text, err
}

// noGrant refuses a dangling link: the disk behind it may not be mounted, and a login
// in its place would hide the one that is there.
func noGrant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return unusable(path, "is a symbolic link to nothing", "mount or restore its target, or remove the link and log in again")
	}
	return ErrNoGrant
}

func checkPrivate(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return unusable(path, "is not a file", "move it away and log in again")
	}
	if info.Size() > grantMaxBytes {
		return unusable(path, "is too large to be a stored login", "move it away and log in again")
	}
	uid, known := durable.Owner(info)
	if !known { // the folder in the user's profile keeps others out
		return nil
	}
	if uid != os.Geteuid() {
		return unusable(path, fmt.Sprintf("belongs to another user (uid %d)", uid),
			"give it back with 'chown', or move it away and log in again")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return unusable(path, fmt.Sprintf("can be read by others (mode %#o)", mode),
			fmt.Sprintf("if you trust it: chmod 600 %s", path))
	}
	return nil
}

// Save implements [Store]. It keeps what it replaces as the previous generation, and a
// copy of a damaged file. It does not touch a file that is unusable in another way.
func (f FileStore) Save(name string, grant Grant) error {
	text, err := formatGrant(name, grant)
	if err != nil {
		return err
	}
	if err := durable.MkdirPrivate(f.Dir); err != nil {
		return fmt.Errorf("making the folder of the logins: %w", err)
	}
	f.at("saving")
	if err := f.keepPrevious(name, text); err != nil {
		return err
	}
	if err := f.replace(name, text); err != nil {
		return fmt.Errorf("saving the login of %s: %w", name, err)
	}
	f.at("committed")
	f.reserve(name, text)
	for _, file := range durable.Leftovers(f.target(name)) {
		_ = os.Remove(file) // its content is saved now
	}
	return nil
}

// replace puts text into the file, on a full disk by way of the previous generation.
func (f FileStore) replace(name string, text []byte) error {
	pending, err := durable.Prepare(f.target(name), text, 0o600)
	if durable.Full(err) && f.replaceInPlace(name, text) == nil {
		return nil
	}
	if err != nil {
		return err
	}
	f.at("prepared")
	return pending.Commit()
}

func (f FileStore) replaceInPlace(name string, text []byte) error {
	info, err := os.Lstat(f.previous(name))
	if err != nil {
		return err
	}
	return durable.ReplaceInPlace(f.target(name), f.previous(name), resized(text, int(info.Size())))
}

// reserve makes a previous generation at the first save: a save on a full disk needs
// its space.
func (f FileStore) reserve(name string, text []byte) {
	if _, err := os.Lstat(f.previous(name)); errors.Is(err, fs.ErrNotExist) {
		_ = durable.WriteFile(f.previous(name), text, 0o600) // what is in its place is saved
	}
}

// keepPrevious copies the present file to the previous generation, if successor differs.
func (f FileStore) keepPrevious(name string, successor []byte) error {
	_, text, err := f.read(name, f.Path(name))
	switch {
	case errors.Is(err, ErrNoGrant), bytes.Equal(text, successor):
		return nil
	case isDamaged(err):
		// A copy, not a rename: Load looks for the previous generation only if there is a file.
		_ = durable.WriteFile(f.target(name)+".damaged", text, 0o600)
		return nil
	case err != nil:
		return err
	}
	// A failure is ignored: a disk without space for both must not prevent the newer save.
	_ = durable.WriteFile(f.previous(name), text, 0o600)
	return nil
}

// previous returns where the generation before the present one is kept: in the folder
// of the file itself, also where that is reached by a symbolic link.
func (f FileStore) previous(name string) string {
	return filepath.Join(filepath.Dir(f.target(name)), name+".previous.json")
}

func (f FileStore) at(step string) {
	if f.step != nil {
		f.step(step)
	}
}

// target returns the file behind a symbolic link: a rename onto the link would replace
// the link.
func (f FileStore) target(name string) string {
	if path, err := filepath.EvalSymlinks(f.Path(name)); err == nil {
		return path
	}
	return f.Path(name)
}

// Delete implements [Store]. A login that does not exist is no error. It also removes a
// link to the file, and the temporary files of killed processes.
func (f FileStore) Delete(name string) error {
	target := f.target(name)
	files := slices.Concat(f.temporaryFiles(name), f.unread(name).paths(), []string{f.previous(name), target + ".damaged", target, f.Path(name)})
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the login of %s: %w", name, err)
		}
	}
	return nil
}

// temporaryFiles lists what killed processes left of all files of a login.
func (f FileStore) temporaryFiles(name string) []string {
	target := f.target(name)
	return slices.Concat(durable.Leftovers(target), durable.Leftovers(f.previous(name)), durable.Leftovers(target+".damaged"))
}

// Lock implements [Store] with an advisory lock on a side file, which the system
// releases when its holder dies.
func (f FileStore) Lock(ctx context.Context, name string) (func(), error) {
	if err := durable.MkdirPrivate(f.Dir); err != nil {
		return nil, unusable(f.Dir, "cannot be made: "+reason(err), "check the owner and mode of the folder above it, or set store.path")
	}
	path := filepath.Join(f.Dir, name+".lock")
	unlock, err := durable.Lock(ctx, path, func() {
		if f.Waiting != nil {
			f.Waiting(path)
		}
	})
	switch {
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOSPC):
		return func() {}, nil // nobody can save here, so nobody can undo what another saves
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("waiting for the lock %s, which another process holds: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("taking the lock of %s: %w", name, err)
	}
	return unlock, nil
}
