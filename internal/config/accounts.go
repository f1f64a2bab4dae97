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
// of its own. The checks of all routes hold for them, too.
func (d *decoder) expandAccounts(c *Config) {
	for i := range c.Routes {
		if from := c.Routes[i].CredentialFrom; len(from.Table) > 0 {
			c.Routes[i].Accounts = d.accountRoutes(c, i, from)
			c.Routes[i].leadsToAccounts(from)
		}
	}
}

// accountRoutes adds the routes of one, and returns their indexes by the account.
func (d *decoder) accountRoutes(c *Config, base int, from CredentialFrom) map[string]int {
	byCredential, accounts := map[string]int{}, map[string]int{}
	for _, account := range slices.Sorted(maps.Keys(from.Table)) {
		credential := from.Table[account]
		index, made := byCredential[credential]
		if !made {
			index = len(c.Routes)
			byCredential[credential] = index
			c.Routes = append(c.Routes, accountRoute(c.Routes[base], credential))
			d.routes = append(d.routes, d.routes[base])
			d.checkAccountName(c.Routes, index)
		}
		accounts[account] = index
		if from.Host != "" {
			host := strings.ToLower(strings.Replace(from.Host, "*", account, 1))
			d.routes[base].checkHost("credential_from", 0, host)
			c.Routes[index].Hosts = append(c.Routes[index].Hosts, host)
		}
	}
	return accounts
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

// settingOf is the setting of the file that a key of the route comes from.
func (r *Route) settingOf(key string) string {
	if r.AccountOf != "" {
		return "credential_from"
	}
	return key
}

// leadsToAccounts takes from a route without a credential what only its accounts can do.
func (r *Route) leadsToAccounts(from CredentialFrom) {
	r.Strip = withSelector(r.Strip, from)
	if r.Credential == "" {
		r.Probe, r.Downchannel = "", "pass"
		r.TokenEndpoint, r.Synchronize, r.FollowGateway = false, false, false
	}
}

// withSelector keeps the name of the account from the upstream.
func withSelector(strip []string, from CredentialFrom) []string {
	if from.Header == "" {
		return strip
	}
	return append(slices.Clip(strip), from.Header)
}

func (d *decoder) checkAccountName(routes []Route, index int) {
	name := routes[index].Name
	taken := slices.ContainsFunc(routes[:index], func(r Route) bool { return r.Name == name })
	if taken || !isLabel(name) {
		d.routes[index].report("credential_from", "makes a route "+name+", which is there already or is no name", "give the route, the other route or the credential another name")
	}
}
