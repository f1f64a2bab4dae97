package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/config"
)

type readyLine struct {
	Proxy   []string    `json:"proxy"`
	Console string      `json:"console"`
	Routes  []api.Route `json:"routes"`
}

func (a *app) announce(conf *config.Config, r ready, asJSON bool) {
	if asJSON {
		// Nobody may be reading stdout, which must not stop the proxy.
		_ = json.NewEncoder(a.stdout).Encode(readyLine{r.proxy, r.console, r.routes})
	}
	var text strings.Builder // written in one call so that log lines cannot interleave
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	say("avsproxy %s is ready%s", version(), map[bool]string{true: ": sandbox mode, no account needed"}[conf.Sandbox])
	for _, address := range shown(r.proxy) {
		say("  proxy    %s for %s", address, r.users.Proxy)
	}
	say("  console  %s for %s", localhostURL(r.console), r.users.Console)
	if r.inspector != "" {
		say("  inspect  %s opens the inspector, once", r.inspector)
	}
	for i, route := range r.routes {
		say("  route    %s", routeText(route, conf.Routes[i], conf.Sandbox))
	}
	for _, status := range r.tokens {
		say("  token    %s: %s", status.Name, tokenText(status))
	}
	if r.loginURL != "" {
		say("Log in first: open %s in a browser, or run 'avsproxy login'", r.loginURL)
	}
	say("Try:")
	say("  curl -i %s", r.try)
	a.ui.say("%s", strings.TrimSuffix(text.String(), "\n"))
}

func routeText(route api.Route, configured config.Route, sandbox bool) string {
	text := route.Name + " -> " + route.Upstream
	if sandbox {
		text += " (the sandbox, in the place of " + configured.Upstream + ")"
	}
	if route.Credential == "" {
		return text + ", no credential"
	}
	return text + ", credential " + route.Credential
}
