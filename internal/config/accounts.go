package config

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

func (t *table) credentialFrom() CredentialFrom {
	var from CredentialFrom
	t.decode(&from)
	t.reportIf((from.Header == "") == (from.Host == ""), "header", "must be there, or host, and not both", `write credential_from = { header = "X-Account", table = { one = "CREDENTIAL" } }`)
	t.reportIf(from.Header != "" && (!httpguts.ValidHeaderFieldName(from.Header) || connectionField(from.Header)), "header", "is not the name of a header that can name an account", `write it like "X-Account"`)
	t.reportIf(from.Host != "" && strings.Count(from.Host, "*") != 1, "host", "has no * in the place of the account, or several", `write it like "*.devices.localhost"`)
	t.reportIf(len(from.Table) == 0, "table", "is missing or empty", `write the credential of each account, like { one = "CREDENTIAL" }`)
	return from
}

// expandAccounts adds a route for each credential of credential_from, so that each has connections
// of its own.
func (d *decoder) expandAccounts(c *Config) {
	for i := range d.routes {
		from := c.Routes[i].CredentialFrom
		if len(from.Table) == 0 {
			continue
		}
		at := d.routes[i].at.key("credential_from")
		byCredential := map[string]int{}
		accounts := map[string]int{}
		for _, account := range slices.Sorted(maps.Keys(from.Table)) {
			credential := from.Table[account]
			if _, known := c.Credentials[credential]; !known {
				d.report(at, "names a credential that is not there", credentialsThere(c))
				continue
			}
			index, made := byCredential[credential]
			if !made {
				index = len(c.Routes)
				byCredential[credential] = index
				c.Routes = append(c.Routes, accountRoute(c.Routes[i], credential))
				d.checkAccountRoute(c, index, at)
			}
			accounts[account] = index
			if from.Host != "" {
				host := strings.ToLower(strings.Replace(from.Host, "*", account, 1))
				own := &c.Routes[index]
				own.Hosts = append(slices.Clip(own.Hosts), host)
			}
		}
		c.Routes[i].Accounts = accounts
		if c.Routes[i].Credential == "" {
			c.Routes[i].Probe = "" // which names no account; each of them has it
		}
		c.Routes[i].Strip = withSelector(c.Routes[i].Strip, from)
	}
}

// accountRoute is the route with a credential of its own.
func accountRoute(route Route, credential string) Route {
	own := route
	own.Name = route.Name + "-" + strings.ReplaceAll(credential, "_", "-")
	own.AccountOf, own.Credential, own.Hosts, own.Listen = route.Name, credential, nil, nil
	own.Strip = withSelector(route.Strip, route.CredentialFrom)
	own.CredentialFrom = CredentialFrom{}
	return own
}

// withSelector keeps the name of the account from the upstream.
func withSelector(strip []string, from CredentialFrom) []string {
	if from.Header == "" {
		return strip
	}
	return append(slices.Clip(strip), from.Header)
}

func (d *decoder) checkAccountRoute(c *Config, index int, at position) {
	name := c.Routes[index].Name
	for i, other := range c.Routes {
		if i != index && other.Name == name {
			d.report(at, "makes a route "+name+", which is there already", "give the other route another name")
		}
	}
	if len(name) > 63 {
		d.report(at, "makes a route whose name is too long", "give the route or the credential a shorter name")
	}
	if credential := c.Credentials[c.Routes[index].Credential]; !c.Sandbox {
		d.credentials[credential.Name].requireSecretsOf(credential)
	}
}
