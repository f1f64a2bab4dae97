package setup

import (
	"cmp"
	"strings"
)

// A registration is how a client is registered with a provider.
type registration struct {
	where  string // pages and buttons
	client string // its type
	scopes string // which of them keep a login alive, or what else does
}

var registrations = map[string]registration{
	"asana":     {"https://app.asana.com/0/my-apps, Create new app, OAuth, Redirect URLs", "an app", "logins last"},
	"bitbucket": {"https://bitbucket.org, your workspace's settings, OAuth consumers, Add consumer, Callback URL", "a consumer that is private", "scopes are ticked there, not asked for; logins last"},
	"discord":   {"https://discord.com/developers/applications, your application, OAuth2, Redirects", "an application", "such as identify; logins last while they are used"},
	"dropbox":   {"https://www.dropbox.com/developers/apps, your app, OAuth 2, Redirect URIs", "a scoped app", "they are ticked under Permissions; avsproxy asks for offline access"},
	"facebook":  {"https://developers.facebook.com/apps, Facebook Login, Settings, Valid OAuth Redirect URIs", "an app with Facebook Login", "logins end after about 60 days"},
	"fitbit":    {"https://dev.fitbit.com/apps, Register an app, Redirect URL", "OAuth 2.0 Application Type Server or Personal", "such as activity heartrate; logins last"},
	"github":    {"https://github.com/settings/developers, OAuth Apps, Authorization callback URL", "an OAuth app, or a GitHub app where tokens are to end", "such as repo read:user; tokens of OAuth apps do not end"},
	"gitlab":    {"https://gitlab.com/-/user_settings/applications, Redirect URI", "a confidential application", "such as read_api; logins last"},
	"google":    {"https://console.cloud.google.com/apis/credentials, Create credentials, OAuth client ID, Authorized redirect URIs", "Web application", "avsproxy asks for offline access; publish the app, for in testing a login ends after 7 days"},
	"linkedin":  {"https://www.linkedin.com/developers/apps, your app, Auth, Authorized redirect URLs", "an app", "logins end after 60 days, or 365 with refresh tokens"},
	"microsoft": {"https://entra.microsoft.com, App registrations, your app, Authentication, Add a platform, Web", "Web, with a client secret", "offline_access keeps a login alive"},
	"spotify":   {"https://developer.spotify.com/dashboard, your app, Settings, Redirect URIs", "a Web API app", "such as user-read-playback-state; logins last"},
	"strava":    {"https://www.strava.com/settings/api, Authorization Callback Domain: localhost", "an API application", "such as activity:read_all; logins last"},
	"twitch":    {"https://dev.twitch.tv/console/apps, your app, OAuth Redirect URLs", "a confidential application", "such as user:read:email; logins last"},
	"x":         {"https://developer.x.com, your project's app, User authentication settings, Callback URI", "Web App, Automated App or Bot", "offline.access keeps a login alive"},
	"zoom":      {"https://marketplace.zoom.us, Develop, Build App, General App, OAuth redirect URL", "a general app, user-managed", "they are ticked there; logins last 90 days without use"},
}

// Steps are what a person does at the provider, before there is a client ID.
func (a *Answers) Steps() []string {
	switch a.Kind {
	case AVS:
		return []string{
			"At https://developer.amazon.com/alexa/console/avs/products open or add a product (device with Alexa built-in).",
			"Its Product ID is the product_id.",
			"In its Security profile select the profile and save, even where it is selected: forgetting that is the usual cause of invalid_scope.",
			"In the profile's Web tab add to Allowed Return URLs, letter for letter: " + a.redirectURL(),
			"Client ID and Client Secret stand in the same tab.",
		}
	case Provider:
		r := registrations[a.Provider]
		return []string{
			"Register a client: " + r.where + ".",
			"Its type: " + r.client + ".",
			"Its redirect URL, letter for letter: " + a.redirectURL(),
		}
	case OAuth2:
		if a.Registered {
			return nil
		}
		return []string{
			"Register a client with the provider, of a type that logs people in (authorization code).",
			"Its redirect URL, letter for letter: " + a.redirectURL(),
		}
	case ClientCredentials:
		return []string{"Register a client with the provider, of a type for programs (client credentials, machine to machine)."}
	}
	return nil
}

func (a *Answers) redirectURL() string { return cmp.Or(a.RedirectURL, DefaultRedirectURL) }

func (a *Answers) scopeHelp() string {
	if r, ok := registrations[a.Provider]; ok {
		return r.scopes
	}
	return "offline_access is what keeps a login alive at many providers"
}

// Next are the commands that follow, up to one that gets an answer, for a configuration in a file.
func (a *Answers) Next(file string) (commands []string) {
	program := "avsproxy "
	if file != "config.toml" { // where it is looked for
		program = "avsproxy --config " + file + " "
	}

	if kind, name, _ := strings.Cut(a.Secret, ":"); kind == "env" {
		commands = append(commands, "export "+name+"=...")
	}
	if a.LogsIn() {
		commands = append(commands, program+"login")
	}
	path := "/"
	if a.Kind == AVS {
		path = "/ping"
	}
	return append(commands, program+"serve", "curl -i http://localhost:9744"+path)
}

// LogsIn reports whether a person logs in.
func (a *Answers) LogsIn() bool { return a.Kind == AVS || a.Kind == Provider || a.Kind == OAuth2 }
