package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"avsproxy/tokens"
)

func (d *decoder) config(root *table) *Config {
	c := &Config{
		File:    d.file,
		Sandbox: root.flag("sandbox", false),
		Proxy:   root.sub("proxy", "a table; write [proxy]").proxy(),
		Console: root.sub("console", "a table; write [console]").console(),
		Store:   root.sub("store", "a table; write [store]").store(),
		Capture: root.sub("capture", "a table; write [capture]").capture(),
		Share:   root.sub("share", "a table; write [share]").share(),
	}
	c.Credentials = d.allCredentials(root, c.Sandbox)
	c.Routes = d.allRoutes(root)
	root.finish()
	c.SecretVariables, c.SecretFiles = d.variables, d.secretFiles
	d.expandAccounts(c)
	d.crossCheck(c)
	return c
}

const minMemory = 64 << 20

func (t *table) proxy() Proxy {
	p := Proxy{Listen: t.listen("localhost:9744"), Others: "reject", Engine: "auto", Memory: 1 << 30}
	t.decode(&p)
	t.reportIf(p.Memory < minMemory, "memory", "is too little", "write at least \"64MiB\"; without the line it is \"1GiB\"")
	t.checkExposure(p)
	t.requireReadable("client_key", p.ClientKey)
	t.requireUsers("allow_users", p.AllowUsers)
	return p
}

// listen takes one address or a list of them; fallback = where there is none.
func (t *table) listen(fallback string) []string {
	entries, isList := t.values["listen"].([]any)
	if !isList {
		return []string{t.textLike("listen", fallback, `text in quotes, like "localhost:9744", or a list of texts`)}
	}
	t.reportIf(len(entries) == 0, "listen", "is empty", `write an address, like "localhost:9744"`)
	return t.texts("listen", nil)
}

// checkExposure refuses a port that other machines could use without a key.
func (t *table) checkExposure(p Proxy) {
	open := !t.has("client_key") || t.values["client_key"] == ""
	for i, address := range p.Listen {
		if host, ok := listenHost(address); !ok {
			t.d.report(t.listenAt(i), "is not an address to listen on", `write "localhost:9744", "unix:/path/to/socket" or a list of these`)
		} else if !loopback(host) && open {
			t.d.report(t.listenAt(i), "can be reached from other machines", "set proxy.client_key, or listen on localhost")
		}
	}
}

// listenAt is where one of the addresses stands.
func (t *table) listenAt(i int) position {
	at := t.at.key("listen")
	if _, isList := t.values["listen"].([]any); isList {
		return at.item(i)
	}
	return at
}

// listenHost is the host of an address to listen on. Unix sockets count as local.
func listenHost(address string) (string, bool) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "localhost", filepath.IsAbs(path)
	}
	host, port, err := net.SplitHostPort(address)
	return host, err == nil && isPort(port)
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// validPort reports whether the URL has a port that exists, or none.
func validPort(u *url.URL) bool {
	return u.Port() == "" || isPort(u.Port())
}

// loopback does not count names other than localhost: their addresses can change.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// requireUsers requires that the users exist.
func (t *table) requireUsers(key string, names []string) {
	for i, name := range names {
		var err error
		if name == "" {
			err = errors.New("is empty")
		} else if t.d.reads != nil {
			_, err = uidOf(name)
		}
		if err != nil {
			t.reportItem(key, i, err.Error(), `write the name or the numeric ID of a user, as the command "id" shows them`)
		}
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

func (t *table) console() Console {
	c := Console{Listen: "localhost:9745"}
	t.decode(&c)
	t.d.consoleListen = t.at.key("listen")
	if host, ok := listenHost(c.Listen); !ok || strings.HasPrefix(c.Listen, "unix:") {
		t.report("listen", "is not an address to listen on", `write host:port, like "localhost:9745"`)
	} else if !loopback(host) {
		t.report("listen", "can be reached from other machines", "the console is for this machine alone; listen on localhost")
	}
	for i, host := range c.Hosts {
		c.Hosts[i] = strings.ToLower(host)
		t.checkHost("hosts", i, c.Hosts[i])
	}
	return c
}

func (t *table) store() Store {
	s := Store{Kind: "file"}
	t.decode(&s)
	if s.Path == "" {
		s.Path = StateFolder(t.d.getenv)
	}
	s.checkShared(t)
	t.reportIf(s.Path == "" && s.Kind != "memory", "path",
		"has no default, because none of STATE_DIRECTORY, XDG_STATE_HOME and HOME names an absolute path", `name a folder, like "/var/lib/avsproxy"`)
	return s
}

func (t *table) share() Share {
	s := Share{}
	if t.has("listen") {
		s.Listen = t.listen("")
	}
	clients := t.sub("clients", "a table; write clients = { \"NAME\" = [\"CREDENTIAL\"] }")
	t.d.shareClients = clients.at
	for name := range clients.values {
		if s.Clients == nil {
			s.Clients = map[string][]string{}
		}
		s.Clients[name] = clients.texts(name, nil)
		if user, ok := strings.CutPrefix(name, userPrefix); ok && t.d.reads != nil {
			if _, err := uidOf(user); err != nil {
				clients.report(name, err.Error(), "write the name or number of a user of this machine")
			}
		}
	}
	t.decode(&s)
	for i, address := range s.Listen {
		if host, ok := listenHost(address); !ok {
			t.d.report(t.listenAt(i), "is not an address to listen on", `write "unix:/path/to/socket", or "host:port" with tls_cert, tls_key and client_ca`)
		} else if !strings.HasPrefix(address, "unix:") {
			for _, key := range []string{"tls_cert", "tls_key", "client_ca"} {
				t.require(key, "a share at "+host+" is for those with a certificate of client_ca")
			}
		}
	}
	return s
}

// userPrefix begins those clients of a share that are users of this machine.
const userPrefix = "user:"

// ClientsByUID are the clients, users by their numbers on this machine now. [Load] has checked
// that all exist; the error is for what has changed since.
func (s Share) ClientsByUID() (map[string][]string, error) {
	list := map[string][]string{}
	for name, credentials := range s.Clients {
		if user, ok := strings.CutPrefix(name, userPrefix); ok {
			uid, err := uidOf(user)
			if err != nil {
				return nil, fmt.Errorf("share.clients: %w", err)
			}
			name = userPrefix + strconv.Itoa(uid)
		}
		list[name] = credentials
	}
	return list, nil
}

// checkShared checks what a shared store needs. Its address is not looked into: it may be in a
// source that is not read now.
func (s *Store) checkShared(t *table) {
	if !s.Shared() {
		return
	}
	example := map[string]string{"redis": "redis://user:password@host:6379", "postgres": "postgres://user:password@host/database"}[s.Kind]
	t.reportIf(s.URL.IsZero(), "url", "is missing, and kind = "+strconv.Quote(s.Kind)+" needs it", "write its address, such as { env = \"STORE_URL\" } with "+example)
	t.reportIf(s.EncryptionKey.IsZero(), "encryption_key", "is missing, and logins leave this machine encrypted alone", "write { env = \"NAME\" } or { file = \"/path\" } of the same random text on all machines: openssl rand -base64 32")
	t.requireReadable("url", s.URL)
	t.requireReadable("encryption_key", s.EncryptionKey)
	if key := s.EncryptionKey.text; key != "" && len(key) < tokens.MinKey {
		t.report("encryption_key", fmt.Sprintf("is shorter than %d characters", tokens.MinKey), "make one by: openssl rand -base64 32")
	}
}

func (t *table) capture() Capture {
	c := Capture{Enabled: true, Body: 64 << 10, Total: 32 << 20}
	t.decode(&c)
	t.reportIf(c.Body > c.Total, "body", "is more than capture.total", "a body that is kept must fit into the total")
	return c
}
