package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"avsproxy/internal/durable"

	"github.com/gofrs/flock"
)

// A FileStore keeps each grant in a file of its own, readable by its owner
// alone, in the folder Dir. A save is atomic and durable: temporary file, fsync,
// rename, fsync of the folder. The lock is a side file, never the data.
type FileStore struct {
	Dir string
}

// An UnusableError says that a stored grant is there but must not be used or
// overwritten, and how to mend that.
type UnusableError struct {
	Path string
	Why  string
	Mend string
}

// Error names the file, the fault and the remedy.
func (e *UnusableError) Error() string {
	return fmt.Sprintf("%s %s; %s", e.Path, e.Why, e.Mend)
}

const (
	formatVersion = 1
	checkSize     = 16 << 10 // more than a grant takes, in whole blocks
	lockRetry     = 20 * time.Millisecond
	grantMaxBytes = 1 << 20 // a grant is a few kB; anything larger is no grant of ours
)

// grantFile is the stored form. It spells out the secrets, which [Grant] would
// hide from encoding/json.
type grantFile struct {
	Version      int       `json:"version"`
	Credential   string    `json:"credential"`
	Kind         string    `json:"kind"`
	ClientID     string    `json:"client_id,omitempty"`
	Issuer       string    `json:"issuer,omitempty"`
	Seed         string    `json:"seed,omitempty"`
	AccessToken  string    `json:"access_token,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Scopes       []string  `json:"scopes,omitempty"`
	LoggedIn     time.Time `json:"logged_in"`
	Renewed      time.Time `json:"renewed"`
	Expiry       time.Time `json:"expiry,omitzero"`
	Refused      string    `json:"refused,omitempty"`
}

// Path returns the file that holds (or would hold) the named grant.
func (f FileStore) Path(name string) string {
	return filepath.Join(f.Dir, name+".grant.json")
}

// Load implements [Store]. It refuses files that others can read or that
// somebody else owns, as ssh does with its keys.
func (f FileStore) Load(name string) (Grant, error) {
	path := f.Path(name)
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // what is no file, such as a pipe, must not hold us up
	if errors.Is(err, fs.ErrNotExist) {
		return Grant{}, noGrant(path)
	}
	if err != nil {
		return Grant{}, &UnusableError{path, "cannot be read: " + reason(err), "check its owner and mode, and the folder's"}
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Grant{}, &UnusableError{path, "cannot be looked at: " + reason(err), "check its owner and mode, and the folder's"}
	}
	if err := checkPrivate(path, info); err != nil {
		return Grant{}, err
	}
	text, err := io.ReadAll(io.LimitReader(file, grantMaxBytes))
	if err != nil {
		return Grant{}, &UnusableError{path, "cannot be read: " + reason(err), "check the disk"}
	}
	return parseGrant(path, name, text)
}

// noGrant tells a link to nothing from nothing: the disk behind it may just not
// be mounted, and a login put in its place would hide the one that is there.
func noGrant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &UnusableError{path, "is a symbolic link to nothing", "mount or restore its target, or remove the link and log in again"}
	}
	return ErrNoGrant
}

func checkPrivate(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &UnusableError{path, "is not a file", "move it away and log in again"}
	}
	if info.Size() > grantMaxBytes {
		return &UnusableError{path, "is too large to be a stored login", "move it away and log in again"}
	}
	if uid, known := owner(info); known && uid != os.Geteuid() {
		return &UnusableError{path, fmt.Sprintf("belongs to another user (uid %d)", uid),
			"give it back with 'chown', or move it away and log in again"}
	}
	if mode := info.Mode().Perm(); sharedMode(mode) {
		return &UnusableError{path, fmt.Sprintf("can be read by others (mode %#o)", mode),
			fmt.Sprintf("if you trust it: chmod 600 %s", path)}
	}
	return nil
}

func parseGrant(path, name string, text []byte) (Grant, error) {
	var file grantFile
	if err := json.Unmarshal(text, &file); err != nil || file.Version < 1 {
		// The parser's own words would quote the text, so they are left out.
		return Grant{}, &UnusableError{path, "is damaged",
			fmt.Sprintf("put a backup in its place, or move it away (mv %s %s.bad) and log in again", path, path)}
	}
	if file.Version > formatVersion {
		return Grant{}, &UnusableError{path, fmt.Sprintf("was written by a newer avsproxy (format %d)", file.Version),
			"use that version, or move the file away and log in again"}
	}
	if file.Credential != name {
		return Grant{}, &UnusableError{path, fmt.Sprintf("holds the login of %.40q", file.Credential), "move it away and log in again"}
	}
	return Grant{
		Kind: file.Kind, ClientID: file.ClientID, Issuer: file.Issuer, Seed: file.Seed,
		Access: Secret(file.AccessToken), Refresh: Secret(file.RefreshToken), Scopes: file.Scopes,
		LoggedIn: file.LoggedIn, Renewed: file.Renewed, Expiry: file.Expiry, Refused: file.Refused,
	}, nil
}

// Save implements [Store]. A file that Load refuses is left alone.
func (f FileStore) Save(name string, grant Grant) error {
	if _, err := f.Load(name); err != nil && !errors.Is(err, ErrNoGrant) {
		return err
	}
	if err := durable.MkdirPrivate(f.Dir); err != nil {
		return fmt.Errorf("making the folder of the logins: %w", err)
	}
	text, err := json.MarshalIndent(grantFile{
		Version: formatVersion, Credential: name,
		Kind: grant.Kind, ClientID: grant.ClientID, Issuer: grant.Issuer, Seed: grant.Seed,
		AccessToken: grant.Access.Reveal(), RefreshToken: grant.Refresh.Reveal(), Scopes: grant.Scopes,
		LoggedIn: grant.LoggedIn, Renewed: grant.Renewed, Expiry: grant.Expiry, Refused: grant.Refused,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the login of %s: %w", name, err)
	}
	if len(text) >= grantMaxBytes {
		return fmt.Errorf("the login of %s is too large to be saved (%d bytes)", name, len(text))
	}
	if err := durable.WriteFile(f.target(name), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("saving the login of %s: %w", name, err)
	}
	return nil
}

// target is the file behind a symbolic link: a rename onto the link would
// silently detach it from where its owner put the data.
func (f FileStore) target(name string) string {
	if path, err := filepath.EvalSymlinks(f.Path(name)); err == nil {
		return path
	}
	return f.Path(name)
}

// Delete implements [Store]. Deleting what is not there is no error. With the
// file go the link to it, if any, and what killed processes left half written.
func (f FileStore) Delete(name string) error {
	target := f.target(name)
	for _, file := range append(leftovers(target), target, f.Path(name)) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the login of %s: %w", name, err)
		}
	}
	return nil
}

// leftovers are the temporary files of saves that did not end.
func leftovers(path string) (files []string) {
	folder, name := filepath.Split(path)
	entries, _ := os.ReadDir(filepath.Clean(folder)) // a folder that cannot be read holds nothing of ours
	for _, entry := range entries {
		if left := entry.Name(); strings.HasPrefix(left, "."+name+".") && strings.HasSuffix(left, ".tmp") {
			files = append(files, filepath.Join(folder, left))
		}
	}
	return files
}

// Check reports whether the disk takes a grant now, by writing one's worth of
// bytes beside it.
func (f FileStore) Check(string) error {
	probe := filepath.Join(f.Dir, ".check")
	defer os.Remove(probe)
	if err := durable.WriteFile(probe, make([]byte, checkSize), 0o600); err != nil {
		return &UnusableError{f.Dir, "takes no file: " + reason(err), "make room on the disk, or check the folder's owner and mode"}
	}
	return nil
}

// Lock implements [Store] with an advisory lock on a side file, which the system
// releases when its holder dies.
func (f FileStore) Lock(ctx context.Context, name string) (func(), error) {
	if err := durable.MkdirPrivate(f.Dir); err != nil {
		return nil, &UnusableError{f.Dir, "cannot be made: " + reason(err), "check the owner and mode of the folder above it, or set store.path"}
	}
	lock := flock.New(filepath.Join(f.Dir, name+".lock"), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("waiting for the lock of %s: %w", name, err)
	}
	return func() { lock.Close() }, nil
}

func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}
