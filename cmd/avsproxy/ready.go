package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/config"
	"avsproxy/internal/console"
	"avsproxy/tokens"
)

// loginToSandbox does what a person would do in a browser: it presses the login
// page's button and follows where that leads. The sandbox consents at once.
func (s *server) loginToSandbox(ctx context.Context) error {
	if s.stand == nil {
		return nil
	}
	client := http.Client{
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: s.trustBoth(), DisableKeepAlives: true},
		Timeout:   30 * time.Second,
	}
	for _, credential := range s.program.credentials {
		if !credential.interactive() {
			continue
		}
		form := url.Values{"credential": {credential.conf.Name}, "by": {"browser"}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.console.Self+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return failed(errors.New("logging in to the sandbox: "+withoutQuery(err)), "")
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return failed(fmt.Errorf("logging in to the sandbox: the last page answered %d", resp.StatusCode), "see "+s.loginURL(credential.conf.Name))
		}
	}
	return nil
}

// withoutQuery leaves out the URL that net/http puts into its errors: its query
// may hold a code.
func withoutQuery(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err.Error()
	}
	return err.Error()
}

type readyLine struct {
	Proxy   []string        `json:"proxy"`
	Console string          `json:"console"`
	Routes  []console.Route `json:"routes"`
}

func (s *server) announce(asJSON bool) {
	if asJSON {
		// Nobody may be reading stdout, which must not stop the proxy.
		_ = json.NewEncoder(s.app.stdout).Encode(readyLine{s.console.Proxy, s.console.Self, s.console.Routes})
	}
	var text strings.Builder // said at once: the log may have begun to speak
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	say("avsproxy %s is ready%s", version(), map[bool]string{true: ": sandbox mode, no account needed"}[s.stand != nil])
	users := s.program.users.told("you")
	for _, address := range shown(s.console.Proxy) {
		say("  proxy    %s for %s", address, users.Proxy)
	}
	say("  console  %s for %s", localhostURL(s.console.Self), users.Console)
	if s.console.Key != "" {
		say("  inspect  %s opens the inspector, once", s.console.Address(localhostURL(s.console.Self)))
	}
	for _, route := range s.conf.Routes {
		say("  route    %s", s.routeText(route.Name))
	}
	var needed *credential // the first that somebody must log in to
	for _, credential := range s.program.credentials {
		status := credential.source.Status()
		say("  token    %s: %s", status.Name, tokenText(status))
		if needed == nil && !credential.unasked() && status.State == tokens.StateLoginNeeded {
			needed = credential
		}
	}
	switch {
	case needed == nil:
	case needed.imports():
		say("Log in first: run '%s'", s.program.loginCommand(needed))
	default:
		say("Log in first: open %s in a browser, or run '%s'", s.loginURL(needed.conf.Name), s.program.loginCommand(needed))
	}
	say("Try:")
	say("  curl -i %s", s.try())
	s.app.ui.say("%s", strings.TrimSuffix(text.String(), "\n"))
	s.program.warnOfSharedRedirects()
	for _, credential := range s.program.credentials {
		s.program.warnOfPKCE(credential)
	}
}

func (s *server) routeText(name string) string {
	i := slices.IndexFunc(s.console.Routes, func(r console.Route) bool { return r.Name == name })
	route := s.console.Routes[i]
	text := name + " -> " + route.Upstream
	if s.stand != nil {
		text += " (the sandbox, in the place of " + s.conf.Routes[i].Upstream + ")"
	}
	if route.Credential == "" {
		return text + ", no credential"
	}
	return text + ", credential " + route.Credential
}

func tokenText(status tokens.Status) string {
	switch {
	case status.State == tokens.StateUnknown && status.Renewable:
		return "ended, renewed with the first request"
	case status.State == tokens.StateFailing:
		return status.Failure.Error()
	case status.State != tokens.StateReady:
		return "login needed"
	case status.Expiry.IsZero():
		return "never ends"
	case status.Renewable:
		return "live until " + clock(status.Expiry) + ", renewed by itself"
	}
	return "live until " + clock(status.Expiry) + ", then a new login is needed"
}

func clock(t time.Time) string {
	left := time.Until(t)
	switch {
	case left < 0:
		return fmt.Sprintf("%s (%s ago)", day(t), roughly(-left))
	case left < 24*time.Hour:
		return fmt.Sprintf("%s (in %s)", t.Local().Format("15:04:05"), roughly(left))
	}
	return fmt.Sprintf("%s (in %s)", day(t), roughly(left))
}

// shown lists addresses as people write them, each once.
func shown(addresses []string) []string {
	var list []string
	for _, address := range addresses {
		if address = localhostURL(address); !slices.Contains(list, address) {
			list = append(list, address)
		}
	}
	return list
}

func curlTarget(address string) string {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "--unix-socket " + path + " http://localhost"
	}
	return localhostURL(address)
}

// try is what to give to curl for a first request.
func (s *server) try() string {
	return s.keyOption() + curlTarget(addresses(s.proxyDoors)[0]) + tryPath(s.conf.Routes[0])
}

// keyOption shows where the client key goes; the key itself is not ours to print.
func (s *server) keyOption() string {
	if s.conf.Proxy.ClientKey.IsZero() {
		return ""
	}
	return "-H 'Avsproxy-Key: KEY' "
}

// tryPath is what a first request can ask for.
func tryPath(route config.Route) string {
	if route.Preset == "avs" {
		return avs.PathPing
	}
	return "/"
}
