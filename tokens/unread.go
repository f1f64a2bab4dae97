package tokens

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"avsproxy/internal/charset"
	"avsproxy/internal/durable"
)

// An unread error holds the answer to a token request that succeeded, by its
// status, and could not be understood. It may have the only refresh token that is
// left.
type unread struct {
	text []byte
	cut  bool
}

// Error says nothing of the answer.
func (u *unread) Error() string {
	if u.cut || u.empty() {
		return "its answer broke off, or was none"
	}
	return "its answer is not a token answer (a captive portal?)"
}

// Format keeps the answer from being printed by any verb.
func (u *unread) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.Error()) }

func (u *unread) empty() bool { return len(bytes.TrimSpace(u.text)) == 0 }

func unreadAnswer(a *answer) *Error {
	e := notAnAnswer(&unread{a.text, a.cut != nil})
	if holdsToken(a.text) {
		e.RetryAfter = backoffMost // a provider that rotates refresh tokens ends a login when the spent one comes back
	}
	return e
}

// holdsToken reports whether a text that could not be read seems to have a refresh
// token in it.
func holdsToken(text []byte) bool {
	return bytes.Contains(bytes.ToLower(charset.UTF8(unpacked(text))), []byte("refresh"))
}

// An unreadKeeper is a store with a place for answers that could not be understood.
type unreadKeeper interface {
	// keepUnread returns where the answer is; empty = there is no room for it.
	keepUnread(name string, text []byte) (path string, err error)
	dropUnread(name string)
	// unread returns where the first of the kept answers is; empty = there is none.
	unread(name string) (path string)
}

// noteUnread keeps the answer in err, if it has one, for a person to look at, and
// says in err where it is.
func (s *Source) noteUnread(err error) {
	var (
		answer *unread
		ours   *Error
	)
	keeper, ok := s.Store.(unreadKeeper)
	if !ok || !errors.As(err, &ours) || !errors.As(err, &answer) || answer.empty() {
		return
	}
	path, err := keeper.keepUnread(s.key(), answer.text)
	switch {
	case err != nil:
		ours.Hint = "its answer could not be kept (" + reason(err) + "); " + ours.Hint
	case path != "":
		ours.Hint = unreadHint(path) + "; " + ours.Hint
	}
}

func unreadHint(path string) string {
	return "an answer that could not be read is kept in " + path + " (secret: it may hold the only refresh token that is left)"
}

// unread returns where an answer that could not be understood is kept; empty = there
// is none.
func (s *Source) unread() string {
	if keeper, ok := s.Store.(unreadKeeper); ok {
		return keeper.unread(s.key())
	}
	return ""
}

func (s *Source) dropUnread() {
	if keeper, ok := s.Store.(unreadKeeper); ok {
		keeper.dropUnread(s.key())
	}
}

const (
	unreadFiles = 4         // for each credential; the first are the ones that count
	unreadMost  = 256 << 10 // bytes kept of each answer
)

func (f FileStore) unreadPaths(name string) (paths []string) {
	for n := range unreadFiles {
		paths = append(paths, filepath.Join(f.Dir, fmt.Sprintf("%s.unread-answer-%d", name, n+1)))
	}
	return paths
}

// keepUnread implements [unreadKeeper]. An answer is never replaced by a later one,
// unless that alone seems to have a refresh token in it.
func (f FileStore) keepUnread(name string, text []byte) (string, error) {
	text = text[:min(len(text), unreadMost)]
	least := "" // the last answer that seems to have no token
	for _, path := range f.unreadPaths(name) {
		present, err := durable.ReadFile(path, unreadMost)
		switch {
		case err == nil && bytes.Equal(present, text):
			return path, nil
		case errors.Is(err, os.ErrNotExist):
			return path, durable.WriteFile(path, text, 0o600)
		case err == nil && !holdsToken(present):
			least = path
		}
	}
	if least == "" || !holdsToken(text) {
		return "", nil
	}
	return least, durable.WriteFile(least, text, 0o600)
}

// dropUnread implements [unreadKeeper]: once there is a new login, or the provider
// has renewed this one, the answers are of no use.
func (f FileStore) dropUnread(name string) {
	for _, path := range f.unreadPaths(name) {
		_ = os.Remove(path)
	}
}

// unread implements [unreadKeeper].
func (f FileStore) unread(name string) string {
	for _, path := range f.unreadPaths(name) {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

func (k *KeyringStore) keepUnread(name string, text []byte) (string, error) {
	return k.file().keepUnread(name, text)
}

func (k *KeyringStore) dropUnread(name string) { k.file().dropUnread(name) }

func (k *KeyringStore) unread(name string) string { return k.file().unread(name) }
