package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// crossCheck checks what no table can know alone.
func (d *decoder) crossCheck(c *Config) {
	d.checkNames(c.Routes)
	d.checkClaims(c.Routes)
	d.checkDoors(c)
	d.checkForwarded(c)
	var used []string
	for i := range c.Routes {
		if name := c.Routes[i].Credential; d.checkReference(&c.Routes[i], d.routes[i], c) {
			used = append(used, name)
		}
	}
	slices.Sort(used)
	for _, name := range slices.Compact(used) {
		if !c.Sandbox {
			d.credentials[name].requireSecretsOf(c.Credentials[name])
		}
	}
}

// checkDoors wants each listener to be for one thing.
func (d *decoder) checkDoors(c *Config) {
	_, console, err := net.SplitHostPort(c.Console.Listen)
	for _, address := range c.Proxy.Listen {
		if _, port, bad := net.SplitHostPort(address); err == nil && bad == nil && port == console && port != "0" {
			d.report(d.consoleListen, "has the same port as proxy.listen", "give the console a port of its own")
		}
	}
}

// checkForwarded wants the proxy's own ports to go on meaning the first route.
func (d *decoder) checkForwarded(c *Config) {
	for i, r := range c.Routes[min(1, len(c.Routes)):] {
		for j, entry := range r.Hosts {
			host, port, err := net.SplitHostPort(entry)
			if err == nil && loopback(host) && slices.ContainsFunc(c.Proxy.Listen, func(address string) bool { return strings.HasSuffix(address, ":"+port) }) {
				d.report(d.routes[i+1].at.key("hosts").item(j), "is the proxy itself, which means the first route", "move the route to the top, or use NAME.localhost")
			}
		}
	}
}

func (d *decoder) checkNames(routes []Route) {
	lines := map[string]int{}
	for i, r := range routes {
		if first, taken := lines[r.Name]; taken && r.Name != "" {
			d.routes[i].report("name", fmt.Sprintf("is already the name of the route on line %d", first), "give each route its own name")
			continue
		}
		lines[r.Name] = r.Line
	}
}

// checkClaims wants each entry of hosts to mean one route. Several routes may have
// one upstream: its own name then means the first of them.
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
		t := d.routes[i]
		for j, host := range r.Hosts {
			claim(claims, i, strings.TrimSuffix(host, ":443"), t.at.key("hosts").item(j), d)
		}
	}
}

func claim(claims map[string]int, route int, host string, at position, d *decoder) {
	owner, taken := claims[host]
	if taken && owner != route && host != "" {
		d.report(at, fmt.Sprintf("names a host that already means the route on line %d", d.routes[owner].at.line), "a host can mean only one route")
		return
	}
	claims[host] = route
}

// upstreamHost is as requests name it: without the default port.
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

// checkReference follows a route to its credential and says whether there is
// one.
func (d *decoder) checkReference(r *Route, t *table, c *Config) bool {
	credential, ok := c.Credentials[r.Credential]
	if r.Credential != "" && !ok {
		names := slices.Sorted(maps.Keys(c.Credentials))
		t.report("credential", "names a credential that does not exist", suggestion(r.Credential, names)+"add a table [credential.NAME] for it")
		return false
	}
	if c.Sandbox {
		t.checkSandbox(*r, credential)
	}
	if !ok {
		return false
	}
	r.withPreset(credential, d.credentials[r.Credential])
	t.checkInjected(*r, credential)
	return true
}

// checkSandbox refuses to mix the stand-in with real endpoints. A provider or
// grant that is empty has its issue already.
func (t *table) checkSandbox(r Route, c Credential) {
	provider := c.Provider == "amazon" || c.Provider == ""
	grant := slices.Contains([]string{"authorization_code", "device_code", "client_credentials", ""}, c.Grant)
	if r.Credential != "" && provider && grant {
		return
	}
	say := "cannot be used in the sandbox"
	if isLabel(r.Name) {
		say = fmt.Sprintf("route %q cannot be used in the sandbox", r.Name)
	}
	t.report("credential", say, `give it a credential with provider "amazon" and grant "authorization_code", "device_code" or "client_credentials", or set sandbox = false`)
}

// checkInjected keeps a static header from standing in the token's place.
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

// requireSecretsOf notes the secrets that the grant uses.
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
