package config

import (
	"os"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// What is shown means what the file means.
func TestShownConfigurationIsTheSame(t *testing.T) {
	shipped := string(testkit.Must(os.ReadFile("../../config.toml"))(t))
	for name, text := range map[string]string{
		"as shipped": shipped,
		"much": `
[proxy]
listen = ["localhost:1", "unix:/a"]
memory = "100MiB"
client_key = { env = "KEY" }
[store]
kind = "memory"
[capture]
body = "1000B"
[[route]]
name = "one"
upstream = "https://one.example/v2"
listen = ["localhost:9746"]
allow = ["GET /a/*"]
heal_on = [403]
ping_interval = "90s"
header_timeout = "1h30m"
probe = "GET /a/b"
[[route]]
name = "two"
preset = "sp-api"
upstream = "https://two.example"
credential = "c"
[credential.c]
provider = "oauth2"
issuer = "https://login.example"
client_id = "me"
client_secret = { keyring = "a/b" }
scopes = ["x", "y"]
`,
	} {
		c := mustParse(t, text)
		same(t, name, c, mustParse(t, c.Show(false)))
		same(t, name+", with origins", c, mustParse(t, c.Show(true)))
	}
}

func TestShownConfigurationHasNoSecret(t *testing.T) {
	c := mustParse(t, `
[proxy]
client_key = "`+canary+`-key-that-is-long-enough"
[[route]]
name = "one"
upstream = "https://one.example"
credential = "c"
headers = { "X-Api-Key" = "`+canary+`" }
[credential.c]
grant = "static"
token = "`+canary+`"
on_login_needed = ["notify", "`+canary+`"]
[credential.d]
grant = "command"
command = ["prog", "`+canary+`"]
[credential.e]
provider = "google"
client_id = "me"
client_secret = { command = ["pass", "`+canary+`"] }
auth_params = { a = "`+canary+`" }
`)
	text := c.Show(true)
	if testkit.HasCanary(text) {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, want := range []string{`token = "***"   # config.toml:11`, `headers = { "X-Api-Key" = "***" }`, `command = ["prog", "***"]`, `client_secret = { command = ["pass", "***"] }`, `engine = "auto"   # default`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
