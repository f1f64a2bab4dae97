package tokens

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"
)

// A Provider is what is known of a provider's endpoints and habits; the fields
// mean what they mean in [Client].
type Provider struct {
	Name                                            string
	AuthURL, TokenURL, DeviceURL, RevokeURL, Issuer string
	Scopes                                          []string // what to ask for where nothing is configured
	AuthParams                                      map[string]string
	Basic, CodeBasedLinking, NoPKCE                 bool
	Dead                                            []ResponsePattern
}

// A ResponsePattern is a refusal in a provider's own words: members of its response, or
// of one object in the response's list "errors".
type ResponsePattern struct {
	Is  map[string]string   // members and their values; letter case does not count
	Not map[string][]string // texts that a member must not have in it; nil = none
}

func (p ResponsePattern) matches(object map[string]json.RawMessage) bool {
	for key, value := range p.Is {
		if !strings.EqualFold(plain(object[key]), value) {
			return false
		}
	}
	for key, texts := range p.Not {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(plain(object[key]), text) }) {
			return false
		}
	}
	return len(p.Is) > 0
}

// FindProvider returns a provider by its name. Amazon has the regions "na", "eu"
// and "fe", and "" is "na" (any code is valid at each token host, whichever host
// showed the consent page); the others know none and ignore it.
func FindProvider(name, region string) (Provider, bool) {
	if name == "amazon" {
		return amazon(region)
	}
	p, ok := providers()[name]
	p.Name = name
	return p, ok
}

// ProviderNames lists the providers, sorted.
func ProviderNames() []string {
	return slices.Sorted(maps.Keys(providers()))
}

// amazon is Login with Amazon. No page of Amazon's describes a revocation endpoint.
func amazon(region string) (Provider, bool) {
	hosts, ok := map[string][2]string{
		"na": {"www.amazon.com", "api.amazon.com"},
		"eu": {"eu.account.amazon.com", "api.amazon.co.uk"},
		"fe": {"apac.account.amazon.com", "api.amazon.co.jp"},
	}[cmp.Or(region, "na")]
	return Provider{
		Name:      "amazon",
		AuthURL:   "https://" + hosts[0] + "/ap/oa",
		TokenURL:  "https://" + hosts[1] + "/auth/o2/token",
		DeviceURL: "https://" + hosts[1] + "/auth/O2/create/codepair",
		Scopes:    []string{"alexa:all"}, CodeBasedLinking: true,
	}, ok
}

// providers are those whose responses follow RFC 6749 closely enough to work. Slack
// is not among them: its user tokens come nested, and its bot tokens do not end.
func providers() map[string]Provider {
	with := func(e oauth2.Endpoint, p Provider) Provider {
		p.AuthURL, p.TokenURL, p.DeviceURL = e.AuthURL, e.TokenURL, e.DeviceAuthURL
		return p
	}
	offline := map[string]string{"access_type": "offline", "prompt": "consent"}
	na, _ := amazon("")
	return map[string]Provider{
		"amazon":    na,
		"asana":     with(endpoints.Asana, Provider{}),
		"bitbucket": with(endpoints.Bitbucket, Provider{Basic: true}),
		"discord":   with(endpoints.Discord, Provider{RevokeURL: "https://discord.com/api/oauth2/token/revoke"}),
		"dropbox":   with(endpoints.Dropbox, Provider{AuthParams: map[string]string{"token_access_type": "offline"}}),
		"facebook":  with(endpoints.Facebook, Provider{}),
		"fitbit":    with(endpoints.Fitbit, Provider{Basic: true, Dead: words("errorType", "invalid_grant")}),
		"github":    with(endpoints.GitHub, Provider{Dead: words("error", "bad_refresh_token")}),
		"gitlab":    with(endpoints.GitLab, Provider{RevokeURL: "https://gitlab.com/oauth/revoke"}),
		"google":    with(endpoints.Google, Provider{RevokeURL: "https://oauth2.googleapis.com/revoke", AuthParams: offline}),
		"linkedin":  with(endpoints.LinkedIn, Provider{NoPKCE: true}), // of its web applications, which are all that log in by secret
		"microsoft": with(endpoints.AzureAD("common"), Provider{
			Scopes: []string{"offline_access"},
			Dead:   words("error", "interaction_required", "consent_required", "login_required"),
		}),
		"spotify": with(endpoints.Spotify, Provider{Basic: true}),
		"strava":  with(endpoints.Strava, Provider{Dead: []ResponsePattern{{Is: map[string]string{"resource": "RefreshToken", "code": "invalid"}}}}),
		"twitch": with(endpoints.Twitch, Provider{
			RevokeURL: "https://id.twitch.tv/oauth2/revoke", Dead: words("message", "Invalid refresh token"),
		}),
		"x": with(endpoints.X, Provider{
			Basic: true, Scopes: []string{"offline.access"}, Dead: []ResponsePattern{{
				Is:  map[string]string{"error": "invalid_request"},
				Not: map[string][]string{"error_description": {"Missing required parameter", "grant_type", "client"}}, // the configuration's fault
			}},
		}),
		"zoom": with(endpoints.Zoom, Provider{Basic: true, RevokeURL: "https://zoom.us/oauth/revoke"}),
	}
}

// words are patterns of one member with each of the values.
func words(member string, values ...string) (patterns []ResponsePattern) {
	for _, value := range values {
		patterns = append(patterns, ResponsePattern{Is: map[string]string{member: value}})
	}
	return patterns
}
