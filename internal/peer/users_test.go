package peer

import (
	"errors"
	"testing"
)

func TestOnlyListedUsersAreAdmitted(t *testing.T) {
	off := errors.New("not here")
	for _, c := range []struct {
		users Users
		peer  Peer
		want  bool
	}{
		{Users{}, Peer{}, false},
		{Users{}, Peer{Loopback, 0, true}, true},
		{Users{}, Peer{Loopback, 1, true}, false},
		{Users{}, Peer{Loopback, 0, false}, false},
		{Users{}, Peer{Socket, 0, false}, false},
		{Users{}, Peer{Transport: Network}, true},
		{Users{UIDs: []int{1}}, Peer{Loopback, 1, true}, true},
		{Users{UIDs: []int{1}}, Peer{Socket, 2, true}, false},
		{Users{TCP: off}, Peer{Transport: Loopback}, true},
		{Users{TCP: off}, Peer{Transport: Socket}, false},
		{Users{TCP: off}, Peer{Socket, 2, true}, false},
		{Users{Unix: off}, Peer{Transport: Socket}, true},
		{Users{TCP: off, Unix: off}, Peer{}, false},
	} {
		if got := c.users.Admit(c.peer); got != c.want {
			t.Errorf("%+v, %+v: %v", c.users, c.peer, got)
		}
	}
}
