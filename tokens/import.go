package tokens

import (
	"errors"
	"fmt"
)

// importedKind is the Kind of a grant that began with a refresh token.
const importedKind = "refresh_token"

// ErrImported says that a refresh token was imported before, and that the login
// that grew from it is kept.
var ErrImported = errors.New("this refresh token was imported before")

// grewFrom reports whether a stored login is what became of an imported one. One
// that an earlier version imported without a note of which may be.
func grewFrom(stored, imported Grant) bool {
	return stored.Refresh == imported.Refresh || stored.Seed != "" && stored.Seed == imported.Seed || unnoted(stored)
}

func unnoted(stored Grant) bool {
	return stored.Kind == importedKind && stored.Seed == "" && stored.Refused == ""
}

func importedBefore(stored Grant) error {
	switch {
	case stored.Refused != "":
		e := newError(ActionLogin, "this refresh token was imported before, and the provider no longer accepts what became of it",
			"get a new refresh token from the provider; this one was sent to nobody now")
		e.Code = stored.Refused
		return e.because(ErrImported)
	case unnoted(stored):
		return fmt.Errorf("%w, or another one was, by a version that did not note which; log out first to replace it", ErrImported)
	}
	return ErrImported
}

// An importing carries a refresh token that was got elsewhere through its first renewal.
type importing struct {
	source  *Source
	grant   Grant
	tempKey string // where the store keeps it until it is the login
}

func (i importing) run() error {
	s, grant := i.source, i.grant
	// First it is kept beside: what could not be kept afterwards must not be spent now.
	kept, err := s.Store.Load(i.tempKey)
	before := err == nil && kept.Seed == grant.Seed
	if before && kept.Refresh != grant.Refresh {
		return i.conclude(kept, nil) // the store had no room for it the last time
	} else if path := s.unread().first(); before && path != "" {
		return sentBefore(path)
	}
	if err := s.Store.Save(i.tempKey, grant); err != nil {
		return fmt.Errorf("%w; the refresh token was sent to nobody", unsavedError(err))
	}
	renewed, err := i.renew()
	s.unread().note(err)
	if path := s.unread().first(); path != "" {
		return errors.Join(sentBefore(path), err) // what is kept beside tells the next import that this one was sent
	}
	if err != nil && renewed.Refresh == grant.Refresh {
		return errors.Join(err, s.Store.Delete(i.tempKey))
	}
	return i.conclude(renewed, err) // the login, though it may have no usable access token yet
}

func (i importing) renew() (Grant, error) {
	ctx, cancel := runningTimeout(responseTimeout)
	defer cancel()
	i.source.importing.Store(true)
	defer i.source.importing.Store(false)
	renewed, err := i.source.Renew(ctx, i.grant)
	if err != nil {
		err = asError(err)
	}
	return renewed, err
}

// conclude makes renewed the login; err is what was wrong with its access token.
func (i importing) conclude(renewed Grant, err error) error {
	store := i.source.Store
	saveErr := i.source.setGrant(renewed)
	if saveErr != nil && store.Save(i.tempKey, renewed) == nil {
		return errors.Join(err, fmt.Errorf("%w; it is kept, and the next import of the same refresh token takes it from there", saveErr))
	}
	return errors.Join(err, saveErr, store.Delete(i.tempKey))
}

func sentBefore(path string) error {
	return newError(ActionConfig, "the refresh token was sent, and the answer could not be read",
		"look for the new refresh token in "+path+"; to send this one again all the same, remove that file")
}
