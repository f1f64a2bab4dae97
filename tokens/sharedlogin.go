package tokens

import (
	"context"
	"encoding/json"
)

// A sharedLogin is what another replica needs to end a login that was begun here.
type sharedLogin struct {
	ID         string `json:"id"`
	Credential string `json:"credential"`
	Verifier   string `json:"verifier"`
}

// loginKey does not tell the state, which whoever reads the store could use.
func loginKey(state Secret) string { return "login:" + Fingerprint(state) }

// shareLogin lets any replica end the login.
func (s *SharedStore) shareLogin(login *Login) error {
	plain, err := json.Marshal(sharedLogin{login.ID, login.Credential, login.verifier})
	if err != nil {
		return err
	}
	key := loginKey(Secret(login.state))
	value, err := s.Sealer.seal(key, 0, plain)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	return s.Engine.Put(ctx, key, value, loginLife)
}

// takeLogin gets what shareLogin has left, once; nil = another replica got it, or it is too old.
func (s *SharedStore) takeLogin(state Secret) (*sharedLogin, error) {
	ctx, cancel := context.WithTimeout(context.Background(), engineTimeout)
	defer cancel()
	key := loginKey(state)
	value, err := s.Engine.Take(ctx, key)
	if value == nil || err != nil {
		return nil, err
	}
	plain, err := s.Sealer.open(s.Engine.String(), key, value)
	if err != nil {
		return nil, err
	}
	login := new(sharedLogin)
	return login, json.Unmarshal(plain, login)
}

// takeShared is for a callback whose login was begun at another replica; nil = there is none.
func (l *Logins) takeShared(state Secret) *Login {
	if l.Shared == nil || state == "" {
		return nil
	}
	shared, err := l.Shared.takeLogin(state)
	if shared == nil || err != nil {
		return nil
	}
	source, client := l.Credential(shared.Credential)
	if source == nil {
		return nil
	}
	login := newLogin(source, client)
	login.ID, login.state, login.verifier = shared.ID, state.Reveal(), shared.Verifier
	l.mu.Lock()
	defer l.mu.Unlock()
	l.makeRoomLocked()
	l.pending = append(l.pending, login)
	return login
}

// endedElsewhere reports whether another replica has taken the login's callback.
func (l *Logins) endedElsewhere(login *Login) bool {
	if l.Shared == nil || !login.shared {
		return false
	}
	left, err := l.Shared.takeLogin(Secret(login.state))
	return left == nil && err == nil
}
