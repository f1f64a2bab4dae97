package config

import (
	"errors"
	"os/user"
	"strconv"
)

// AllowedUIDs are the IDs of AllowUsers, as this machine knows them now. [Load]
// has made sure that it does, and the error is for what has changed since.
func (p Proxy) AllowedUIDs() ([]int, error) {
	var uids []int
	for _, name := range p.AllowUsers {
		uid, err := uidOf(name)
		if err != nil {
			return nil, errors.New("proxy.allow_users: " + err.Error())
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

// requireUsers notes users that must exist. An empty name is wrong on any machine.
func (t *table) requireUsers(key string, names []string) {
	for i, name := range names {
		at := t.at.key(key).item(i)
		if name == "" {
			t.d.report(at, "is empty", userHint)
			continue
		}
		t.d.needs = append(t.d.needs, need{d: t.d, at: at, user: name})
	}
}

const userHint = `write the name or the numeric ID of a user, as the command "id" shows them`

func (n need) userComplaints() Issues {
	if _, err := uidOf(n.user); err != nil {
		return Issues{n.d.issue(n.at, err.Error(), userHint)}
	}
	return nil
}
