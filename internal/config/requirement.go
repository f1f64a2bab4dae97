package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// A requirement is a secret that must be readable, or a user that must exist, at the
// start: otherwise its first use would fail.
type requirement struct {
	at     position
	secret SecretRef
	user   string
}

// check reads the secret, or looks up the user.
func (r requirement) check() error {
	if r.user != "" {
		if _, err := uidOf(r.user); err != nil {
			return fmt.Errorf("%w; %s", err, userHint)
		}
		return nil
	}
	if _, err := r.secret.resolve(); err != nil {
		return fmt.Errorf("%s %w", r.secret.source(), err)
	}
	return nil
}

func (t *table) requireReadable(key string, s SecretRef) {
	t.d.requirements = append(t.d.requirements, requirement{at: t.at.key(key), secret: s})
}

// requireSecretsOf requires the secrets that the grant uses.
func (t *table) requireSecretsOf(c Credential) {
	switch c.Grant {
	case "authorization_code", "device_code", "client_credentials":
		t.requireReadable("client_secret", c.ClientSecret)
	case "refresh_token":
		t.requireReadable("client_secret", c.ClientSecret)
		t.requireReadable("refresh_token", c.RefreshToken)
	case "static":
		t.requireReadable("token", c.Token)
	}
}

const userHint = `write the name or the numeric ID of a user, as the command "id" shows them`

// requireUsers requires that the users exist.
func (t *table) requireUsers(key string, names []string) {
	for i, name := range names {
		if name == "" {
			t.reportItem(key, i, "is empty", userHint)
			continue
		}
		t.d.requirements = append(t.d.requirements, requirement{at: t.at.key(key).item(i), user: name})
	}
}

// AllowedUIDs are the IDs of AllowUsers on this machine now. [Load] has checked that
// all exist; the error is for what has changed since.
func (p Proxy) AllowedUIDs() ([]int, error) {
	var uids []int
	for _, name := range p.AllowUsers {
		uid, err := uidOf(name)
		if err != nil {
			return nil, fmt.Errorf("proxy.allow_users: %w", err)
		}
		uids = append(uids, uid)
	}
	return uids, nil
}

// uidOf takes a number as it is: containers have users without names.
func uidOf(name string) (int, error) {
	if uid, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(uid), nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return 0, errors.New("names a user that this machine does not have")
	}
	uid, err := strconv.Atoi(found.Uid)
	if err != nil {
		return 0, errors.New("names a user without a number, and this system tells users apart by those")
	}
	return uid, nil
}
