package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

func (d *decoder) config(root *table) *Config {
	c := &Config{
		File:    d.file,
		Sandbox: root.flag("sandbox", false),
		Proxy:   root.sub("proxy", "a table; write [proxy]").proxy(),
		Console: root.sub("console", "a table; write [console]").console(),
		Store:   root.sub("store", "a table; write [store]").store(),
		Capture: root.sub("capture", "a table; write [capture]").capture(),
	}
	c.Credentials = d.allCredentials(root, c.Sandbox)
	c.Routes = d.allRoutes(root)
	root.finish()
	c.SecretVariables = d.variables
	d.crossCheck(c)
	return c
}

func (t *table) proxy() Proxy {
	p := Proxy{
		Listen:     t.listen(),
		Others:     t.oneOf("others", "reject", []string{"reject", "tunnel"}),
		ClientKey:  t.secret("client_key"),
		AllowUsers: t.texts("allow_users", nil),

		DecisionHeader: t.flag("decision_header", false),
	}
	t.finish()
	t.checkExposure(p)
	t.needs("client_key", p.ClientKey)
	t.needsUsers("allow_users", p.AllowUsers)
	return p
}

// listen takes one address or a list of them.
func (t *table) listen() []string {
	entries, isList := t.values["listen"].([]any)
	if !isList {
		return []string{t.textLike("listen", "localhost:9744", `text in quotes, like "localhost:9744", or a list of texts`)}
	}
	if len(entries) == 0 {
		t.complain("listen", "is empty", `write an address, like "localhost:9744"`)
	}
	return t.texts("listen", nil)
}

// checkExposure keeps a port from being opened to other machines by accident.
func (t *table) checkExposure(p Proxy) {
	_, isList := t.values["listen"].([]any)
	open := !t.has("client_key") || t.values["client_key"] == ""
	for i, address := range p.Listen {
		at := t.at.key("listen")
		if isList {
			at = at.item(i)
		}
		if host, ok := listenHost(address); !ok {
			t.d.complain(at, "is not an address to listen on", `write "localhost:9744", "unix:/path/to/socket" or a list of these`)
		} else if !loopback(host) && open {
			t.d.complain(at, "can be reached from other machines", "set proxy.client_key, or listen on localhost")
		}
	}
}

// listenHost is the host of an address to listen on. Sockets of the file
// system count as local.
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

// validPort says that the URL has a port that exists, or none.
func validPort(u *url.URL) bool {
	return u.Port() == "" || isPort(u.Port())
}

// loopback takes names other than localhost for wide: what they resolve to
// can change.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

func (t *table) console() Console {
	c := Console{Listen: t.text("listen", "localhost:9745"), Hosts: t.texts("hosts", nil)}
	t.d.consoleListen = t.at.key("listen")
	t.finish()
	if host, ok := listenHost(c.Listen); !ok || strings.HasPrefix(c.Listen, "unix:") {
		t.complain("listen", "is not an address to listen on", `write host:port, like "localhost:9745"`)
	} else if !loopback(host) {
		t.complain("listen", "can be reached from other machines", "the console is for this machine alone; listen on localhost")
	}
	for i, host := range c.Hosts {
		c.Hosts[i] = strings.ToLower(host)
		t.checkHost(t.at.key("hosts").item(i), c.Hosts[i])
	}
	return c
}

func (t *table) store() Store {
	s := Store{
		Kind: t.oneOf("kind", "file", []string{"file", "keyring", "memory"}),
		Path: t.text("path", ""),
	}
	t.finish()
	if s.Path == "" {
		s.Path = StateFolder(t.d.getenv)
	}
	if s.Path == "" && s.Kind != "memory" {
		t.complain("path", "has no default, because none of STATE_DIRECTORY, XDG_STATE_HOME and HOME names an absolute path", `name a folder, like "/var/lib/avsproxy"`)
	}
	return s
}

func (t *table) capture() Capture {
	c := Capture{
		Enabled: t.flag("enabled", true),
		Body:    t.size("body", 64<<10),
		Total:   t.size("total", 32<<20),
	}
	t.finish()
	if c.Body > c.Total {
		t.complain("body", "is more than capture.total", "a body that is kept must fit into the total")
	}
	return c
}

// A need is a secret that must be readable at the start, since it would
// otherwise fail at its first use; or a user that the machine must know.
type need struct {
	d      *decoder
	at     place
	secret Secret
	user   string
}

// needs notes a secret that is used.
func (t *table) needs(key string, s Secret) {
	t.d.needs = append(t.d.needs, need{d: t.d, at: t.at.key(key), secret: s})
}

// complaints reads the secret, or looks for the user. There is one at most.
func (n need) complaints() Complaints {
	if n.user != "" {
		return n.userComplaints()
	}
	if _, err := n.secret.resolve(); err != nil {
		say, hint, _ := strings.Cut(err.Error(), "; ")
		return Complaints{n.d.complaint(n.at, n.secret.source()+" "+say, hint)}
	}
	return nil
}
