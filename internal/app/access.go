package app

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
	"avsproxy/internal/peer"
	"avsproxy/internal/terminal"
)

// userAccess is who may connect to the proxy and to the console. allow_users does not
// open the console: a user who may use a login may not change it.
type userAccess struct {
	proxy, Console *peer.Users
	conf           config.Proxy
}

func newUsers(conf *config.Config) (userAccess, error) {
	uids, err := conf.Proxy.AllowedUIDs()
	if err != nil {
		return userAccess{}, terminal.Usage(err, "")
	}
	own := peer.LocalUsers()
	return userAccess{proxy: own.And(uids...), Console: own, conf: conf.Proxy}, nil
}

// describe says it in words; self names the user of this process.
func (u userAccess) describe(self string) api.Access {
	return api.Access{Proxy: u.proxyText(self), Console: describeListener(u.Console, u.Console.TCP, nil, self, "")}
}

// proxyText speaks of TCP and unix sockets apart where the answers differ.
func (u userAccess) proxyText(self string) string {
	if !u.conf.ClientKey.IsZero() {
		return "whoever presents the client_key"
	}
	tcp := describeListener(u.proxy, u.proxy.TCP, u.conf.AllowUsers, self, "; set client_key")
	unix := describeListener(u.proxy, u.proxy.Unix, u.conf.AllowUsers, self, "; set client_key")
	onUnix := func(addr string) bool { return strings.HasPrefix(addr, "unix:") }
	switch some := slices.ContainsFunc(u.conf.Listen, onUnix); {
	case !some || tcp == unix:
		return tcp
	case !slices.ContainsFunc(u.conf.Listen, func(addr string) bool { return !onUnix(addr) }):
		return unix
	}
	return "by TCP: " + tcp + "; by unix socket: " + unix
}

// describeListener names the users of one listener; blind is why the system cannot tell them apart.
func describeListener(u *peer.Users, blind error, others []string, self, remedy string) string {
	if blind != nil {
		return fmt.Sprintf("every local user: %v%s", blind, remedy)
	}
	if uid := os.Geteuid(); uid != 0 {
		self += " (uid " + strconv.Itoa(uid) + ")"
	} else {
		self += " (root)"
	}
	names := slices.Concat([]string{self}, others)
	if os.Geteuid() != 0 {
		names = append(names, "root")
	}
	if len(names) == 1 {
		return self + " alone"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// consoleKey is what the inspector asks for where other users could connect to it;
// empty where the system says which user a connection belongs to.
func consoleKey(s *Server) string {
	if s.Users.Console.TCP == nil {
		return ""
	}
	return rand.Text()
}
