package tokens

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	if u.cut || len(bytes.TrimSpace(u.text)) == 0 {
		return "its answer broke off, or was none"
	}
	return "its answer is not a token answer (a captive portal?)"
}

// Format keeps the answer from being printed by any verb.
func (u *unread) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.Error()) }

func unreadAnswer(a *answer) *Error {
	return notAnAnswer(&unread{a.text, a.cut != nil})
}

// An unreadKeeper is a store with a place for answers that nobody understood.
type unreadKeeper interface {
	keepUnread(name string, text []byte) (path string, err error)
	dropUnread(name string)
}

// noteUnread keeps the answer in err, if it has one, for a person to look at, and
// says in err where it is.
func (s *Source) noteUnread(err error) {
	var (
		answer *unread
		ours   *Error
	)
	keeper, ok := s.Store.(unreadKeeper)
	if !ok || !errors.As(err, &ours) || !errors.As(err, &answer) || len(bytes.TrimSpace(answer.text)) == 0 {
		return
	}
	if path, err := keeper.keepUnread(s.key(), answer.text); err == nil {
		ours.Hint = "its answer is kept in " + path + " (secret: it may hold the only refresh token that is left); " + ours.Hint
	}
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

// keepUnread implements [unreadKeeper]. An answer that is kept is never replaced
// by a later one: the first refresh token that was missed is the one to save.
func (f FileStore) keepUnread(name string, text []byte) (string, error) {
	text = text[:min(len(text), unreadMost)]
	paths := f.unreadPaths(name)
	for _, path := range paths {
		present, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(present, text):
			return path, nil
		case errors.Is(err, os.ErrNotExist):
			return path, durable.WriteFile(path, text, 0o600)
		}
	}
	return paths[0], nil
}

// dropUnread implements [unreadKeeper]: once there is a new login, or the provider
// has renewed this one, nobody needs the answers.
func (f FileStore) dropUnread(name string) {
	for _, path := range f.unreadPaths(name) {
		_ = os.Remove(path)
	}
}

func (k *KeyringStore) keepUnread(name string, text []byte) (string, error) {
	return k.file().keepUnread(name, text)
}

func (k *KeyringStore) dropUnread(name string) { k.file().dropUnread(name) }
