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

// An unread error holds the response to a token request that succeeded, by its
// status, and could not be understood. It may have the only refresh token that is
// left.
type unread struct {
	text []byte
	cut  bool
}

// Error says nothing of the response.
func (u *unread) Error() string {
	if u.cut || u.empty() {
		return "its answer broke off, or was none"
	}
	return "its answer is not a token answer (a captive portal?)"
}

// Format keeps the response from being printed by any verb.
func (u *unread) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.Error()) }

func (u *unread) empty() bool { return len(bytes.TrimSpace(u.text)) == 0 }

func unreadResponse(r *response) *Error {
	e := unusableResponse(&unread{r.text, r.cut != nil})
	if holdsToken(r.text) {
		e.RetryAfter = backoffMost // a provider that rotates refresh tokens ends a login when the spent one comes back
	}
	return e
}

// holdsToken reports whether a text that could not be read seems to have a refresh
// token in it.
func holdsToken(text []byte) bool {
	return bytes.Contains(bytes.ToLower(charset.UTF8(unpacked(text))), []byte("refresh"))
}

// unreadFiles are the responses to one login that could not be understood, for a person
// to look at. The zero value is a place that takes none.
type unreadFiles struct{ dir, name string }

const (
	unreadCount = 4         // for each login; the first are the ones that count
	unreadMost  = 256 << 10 // bytes kept of each response
)

// note keeps the response in err, if it has one, and says in err where it is.
func (u unreadFiles) note(err error) {
	ours, isOurs := errors.AsType[*Error](err)
	kept, isUnread := errors.AsType[*unread](err)
	if !isOurs || !isUnread || kept.empty() {
		return
	}
	path, err := u.keep(kept.text)
	if err != nil {
		ours.Hint = "its answer could not be kept (" + reason(err) + "); " + ours.Hint
	} else {
		ours.hintAtUnread(path)
	}
}

func (u unreadFiles) paths() (paths []string) {
	if u.dir == "" {
		return nil
	}
	for n := range unreadCount {
		paths = append(paths, filepath.Join(u.dir, fmt.Sprintf("%s.unread-answer-%d", u.name, n+1)))
	}
	return paths
}

// keep returns where the response is; empty = there is no room for it. A response is never
// replaced by a later one, unless that alone seems to have a refresh token in it.
func (u unreadFiles) keep(text []byte) (string, error) {
	text = text[:min(len(text), unreadMost)]
	least := "" // the last response that seems to have no token
	for _, path := range u.paths() {
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

// drop removes the responses: once there is a new login, or the provider has renewed this
// one, they are of no use.
func (u unreadFiles) drop() {
	for _, path := range u.paths() {
		_ = os.Remove(path)
	}
}

// first returns where the first of the responses is; empty = there is none.
func (u unreadFiles) first() string {
	for _, path := range u.paths() {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}
