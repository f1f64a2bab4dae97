package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// crossCheck checks what concerns more than one table.
func (d *decoder) crossCheck(c *Config) {
	d.checkNames(c.Routes)
	d.checkClaims(c.Routes)
	d.checkConsolePort(c)
	d.checkForwarded(c)
	d.checkRoutePorts(c)
	d.checkShared(c)
	required := map[string]bool{"": true}
	for i := range c.Routes {
		name := c.Routes[i].Credential
		if d.checkReference(&c.Routes[i], d.routes[i], c) && !c.Sandbox && !required[name] {
			required[name] = true
			d.credentials[name].requireSecretsOf(c.Credentials[name])
		}
	}
}

// checkShared refuses a share of credentials that are not there.
func (d *decoder) checkShared(c *Config) {
	for client, names := range c.Share.Clients {
		for _, name := range names {
			if _, known := c.Credentials[name]; !known && name != "*" {
				d.report(d.shareClients.key(client), "names a credential that is not there", credentialsThere(c)+`; "*" means all`)
			}
		}
	}
}

// credentialsThere is a hint.
func credentialsThere(c *Config) string {
	if len(c.Credentials) == 0 {
		return "the file has none; add a [credential.NAME]"
	}
	return "there are " + strings.Join(slices.Sorted(maps.Keys(c.Credentials)), ", ")
}

// checkConsolePort refuses a port that the proxy listens on.
func (d *decoder) checkConsolePort(c *Config) {
	_, console, err := net.SplitHostPort(c.Console.Listen)
	for _, address := range c.Proxy.Listen {
		if _, port, bad := net.SplitHostPort(address); err == nil && bad == nil && port == console && port != "0" {
			d.report(d.consoleListen, "has the same port as proxy.listen", "give the console a port of its own")
		}
	}
}

// checkRoutePorts checks the addresses of routes: who may come in there is the proxy's matter, but
// each port means one route.
func (d *decoder) checkRoutePorts(c *Config) {
	taken := map[string]string{}
	claim := func(address, by string) (owner string) {
		_, port, err := net.SplitHostPort(address)
		if err != nil || port == "0" {
			return by
		}
		if taken[port] == "" {
			taken[port] = by
		}
		return taken[port]
	}
	for _, address := range c.Proxy.Listen {
		claim(address, "proxy.listen")
	}
	claim(c.Console.Listen, "console.listen")
	for i, r := range c.Routes {
		own := fmt.Sprintf("the route on line %d", r.Line)
		for j, address := range r.Listen {
			at := d.routes[i].listenAt(j)
			host, port, err := net.SplitHostPort(address)
			if err != nil || !isPort(port) {
				d.report(at, "is not an address with a port of the route's own", `write it like "localhost:9746"`)
				continue
			}
			if !loopback(host) && c.Proxy.ClientKey.IsZero() {
				d.report(at, "can be reached from other machines", "set proxy.client_key, or listen on localhost")
			}
			if owner := claim(address, own); owner != own {
				d.report(at, "has the same port as "+owner, "give the route a port of its own")
			}
		}
	}
}

// checkForwarded refuses the proxy's own ports as hosts: they mean the first route.
func (d *decoder) checkForwarded(c *Config) {
	for i, r := range c.Routes[min(1, len(c.Routes)):] {
		for j, entry := range r.Hosts {
			host, port, err := net.SplitHostPort(entry)
			own := slices.ContainsFunc(c.Proxy.Listen, func(address string) bool { return strings.HasSuffix(address, ":"+port) })
			if err == nil && loopback(host) && own {
				d.routes[i+1].reportItem("hosts", j, "is the proxy itself, which means the first route", "move the route to the top, or use NAME.localhost")
			}
		}
	}
}

func (d *decoder) checkNames(routes []Route) {
	lines := map[string]int{}
	for i, r := range routes {
		if r.AccountOf != "" {
			continue // checked when it was made
		}
		if first, taken := lines[r.Name]; taken && r.Name != "" {
			d.routes[i].report("name", fmt.Sprintf("is already the name of the route on line %d", first), "give each route its own name")
			continue
		}
		lines[r.Name] = r.Line
	}
}

// checkClaims checks that each entry of hosts means one route. Several routes may
// have one upstream, whose own name then means the first of them.
func (d *decoder) checkClaims(routes []Route) {
	claims := map[string]int{}
	for i, r := range routes {
		claims[r.Name+".localhost"] = i
		host := upstreamHost(r.Upstream)
		if _, taken := claims[host]; !taken {
			claims[host] = i
		}
	}
	for i, r := range routes {
		for j, host := range r.Hosts {
			host = strings.TrimSuffix(host, ":443")
			if owner, taken := claims[host]; taken && owner != i && host != "" {
				d.routes[i].reportItem(r.settingOf("hosts"), j, fmt.Sprintf("names a host that already means the route on line %d", routes[owner].Line), "a host can mean only one route")
				continue
			}
			claims[host] = i
		}
	}
}

// upstreamHost is the host as requests name it: without the default port.
func upstreamHost(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && port != "443" {
		return net.JoinHostPort(host, port)
	}
	return host
}

// checkReference checks a route with its credential, and reports whether the route
// has one.
func (d *decoder) checkReference(r *Route, t *table, c *Config) bool {
	credential, ok := c.Credentials[r.Credential]
	if r.Credential != "" && !ok {
		names := slices.Sorted(maps.Keys(c.Credentials))
		t.report(r.settingOf("credential"), "names a credential that does not exist", suggestion(r.Credential, names)+"add a table [credential.NAME] for it")
		return false
	}
	if c.Sandbox && (r.Credential != "" || len(r.Accounts) == 0) {
		t.checkSandbox(*r, credential)
	}
	if !ok {
		return false
	}
	r.withPreset(credential, d.credentials[r.Credential])
	t.checkInjected(*r, credential)
	return true
}

// checkSandbox refuses real endpoints next to the sandbox. An empty provider or grant
// is reported already.
func (t *table) checkSandbox(r Route, c Credential) {
	provider := c.Provider == "amazon" || c.Provider == ""
	grant := slices.Contains([]string{"authorization_code", "device_code", "client_credentials", ""}, c.Grant)
	if r.Credential != "" && provider && grant {
		return
	}
	message := "cannot be used in the sandbox"
	if isLabel(r.Name) {
		message = fmt.Sprintf("route %q cannot be used in the sandbox", r.Name)
	}
	t.report("credential", message, `give it a credential with provider "amazon" and grant "authorization_code", "device_code" or "client_credentials", or set sandbox = false`)
}

// checkInjected refuses a static header with the name of the token's.
func (t *table) checkInjected(r Route, c Credential) {
	header := r.Header
	if header == "" {
		header = c.Header
	}
	for name := range r.Headers {
		if strings.EqualFold(name, header) {
			t.d.report(t.at.key("headers").key(name), "is where the token goes", "remove it here; the credential fills it in")
		}
	}
}
