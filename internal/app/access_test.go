package app

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/peer"
)

func TestAdmittedUsersAreDescribed(t *testing.T) {
	own := &peer.Users{UIDs: []int{os.Geteuid()}}
	blind := &peer.Users{TCP: fmt.Errorf("this system does not tell")}
	var u userAccess
	self := "you (root)"
	if os.Geteuid() != 0 {
		self = fmt.Sprintf("you (uid %d)", os.Geteuid())
	}
	u.proxy, u.Console = own, own
	u.conf.Listen, u.conf.AllowUsers = []string{"localhost:1"}, []string{"kim"}
	if got := u.describe("you"); !strings.HasPrefix(got.Proxy, self) || !strings.Contains(got.Proxy, "kim") || strings.Contains(got.Console, "kim") {
		t.Errorf("%+v", got)
	}
	u.proxy, u.Console = blind, blind
	want := api.Access{Proxy: "every local user: this system does not tell; set client_key", Console: "every local user: this system does not tell"}
	if got := u.describe("you"); got != want {
		t.Errorf("%+v", got)
	}
	u.conf.Listen = append(u.conf.Listen, "unix:/s")
	if got := u.describe("you"); got.Proxy != "by TCP: "+want.Proxy+"; by unix socket: "+describeListener(own, nil, []string{"kim"}, "you", "") {
		t.Errorf("%+v", got)
	}
}
