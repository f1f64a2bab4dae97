package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/secretsource"
	"avsproxy/internal/testkit"
)

const canary = testkit.Canary + "-7f3a91-Secret"

// canaries is a configuration whose secrets are all the canary.
func canaries(t *testing.T) *Config {
	t.Helper()
	return mustParse(t, strings.ReplaceAll(`
[proxy]
client_key = "{SECRET}"
[[route]]
name = "a"
upstream = "https://a.example.com"
credential = "a"
[credential.a]
provider = "oauth2"
grant = "refresh_token"
token_url = "https://login.example.com"
client_secret = "{SECRET}"
refresh_token = "{SECRET}"
token = "{SECRET}"
`, "{SECRET}", canary))
}

func TestNoSecretIsPrinted(t *testing.T) {
	c := canaries(t)
	secret := c.Proxy.ClientKey
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "secret", secret, "credential", c.Credentials["a"])
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "secret", secret)
	asJSON := testkit.Must(json.Marshal(c))(t)
	printed := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		printed += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, *c) + fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, &secret)
	}
	testkit.NoCanary(t, "something printed", printed)
	if !strings.Contains(printed, "[secret: text]") {
		t.Error("the secret's place is not printed")
	}
}

// TestNoIssueHasASecret makes every line of a file with secrets wrong in
// turn, by its key and by its value.
func TestNoIssueHasASecret(t *testing.T) {
	text := strings.ReplaceAll(`sandbox = false
[proxy]
listen = ":9"
client_key = "CANARY"
[[route]]
name = "a"
upstream = "https://CANARY:CANARY@a.example.com/?CANARY#CANARY"
hosts = ["CANARY@b"]
allow = ["CANARY"]
client_auth = "CANARY"
preset = "CANARY"
credential = "CANARY"
ping_interval = "CANARY"
headers = { "a b" = "CANARY", Host = "CANARY", ok = "CANARY\u0000" }
[credential.a]
provider = "CANARY"
grant = "CANARY"
client_id = "{{CANARY}}"
client_secret = { env = "CANARY", file = "CANARY" }
refresh_token = { command = ["CANARY"], keyring = "CANARY" }
token = ["CANARY"]
redirect_url = "CANARY"
format = "CANARY"
header = "CANARY "
auth_url = "CANARY"
[credential.b]
grant = "static"
token = { file = "CANARY" }
[credential.c]
grant = "static"
token = "Atzr|CANARY"
[[route]]
name = "d"
upstream = "https://d.example.com"
credential = "d"
[credential.d]
provider = "google"
grant = "refresh_token"
client_id = "d"
client_secret = { keyring = "CANARY/CANARY" }
refresh_token = { command = ["./CANARY", "CANARY"] }
issuer = "http://CANARY?CANARY"
token_auth = "CANARY"
on_login_needed = ["", "CANARY"]
login_reminder = "CANARY"
[[route]]
name = "e"
upstream = "https://e.example.com"
credential = "e"
[credential.e]
grant = "static"
token = { command = ["sh", "-c", "echo CANARY; echo CANARY >&2; false"] }
`, "CANARY", canary)
	lines := strings.Split(text, "\n")
	for i := range lines {
		for _, wrong := range []string{lines[i], "", lines[i] + ` "` + canary + `"`, strings.Replace(lines[i], " = ", " = 1", 1), strings.Replace(lines[i], " = ", "_x = ", 1), strings.ReplaceAll(lines[i], `"`, "")} {
			changed := append([]string{}, lines...)
			changed[i] = wrong
			_, err := Parse("config.toml", []byte(strings.Join(changed, "\n")), func(string) string { return canary })
			if err == nil {
				t.Fatal("no issue")
			}
			testkit.NoCanary(t, wrong, err.Error())
		}
	}
}

func TestResolve(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	value := "first"
	getenv := func(name string) string { return map[string]string{"HOME": "/h", "SET": value}[name] }
	text := strings.ReplaceAll(`
[[route]]
name = "a"
upstream = "https://a.example.com"
[credential.a]
provider = "oauth2"
grant = "static"
client_secret = { env = "SET" }
refresh_token = { file = 'FILE' }
token = { env = "UNSET" }
`, "FILE", file)
	c, err := Parse("config.toml", []byte(text), getenv)
	if err != nil {
		t.Fatal(err) // the credential is not used, so nothing is missing
	}
	a := c.Credentials["a"]
	resolves(t, a.ClientSecret, "first", "")
	value = "second"
	resolves(t, a.ClientSecret, "second", "")
	resolves(t, a.Token, "", "credential.a.token: environment variable UNSET is not set; set it where avsproxy is started")
	resolves(t, a.RefreshToken, "", "credential.a.refresh_token: file "+file+" cannot be read: no such file or directory")
	for content, want := range map[string]string{"one\n": "one", "one\r\n": "one", "one two": "one two", " one": " one",
		"\ufeffone\r\n": "one", "\xff\xfeo\x00n\x00e\x00\r\x00\n\x00": "one", "\x00o\x00n\x00e": "one"} {
		testkit.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		resolves(t, a.RefreshToken, want, "")
	}
	value = "{{SECRET}}"
	resolves(t, a.ClientSecret, "", "credential.a.client_secret: environment variable SET is still a placeholder; put your own value in its place")
	resolves(t, SecretRef{}, "", "")
}

func TestResolveRefusesFilesThatHoldNoSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	secret := SecretRef{key: "k", file: file}
	for content, want := range map[string]string{"": "is empty", "\n\n": "is empty", strings.Repeat("x", secretsource.MaxSize+1): "is larger than 64 KiB"} {
		testkit.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		resolves(t, secret, "", "k: file "+file+" "+want)
	}
	resolves(t, SecretRef{key: "k", file: dir}, "", "k: file "+dir+" is not a regular file")
	resolves(t, SecretRef{key: "k", file: os.DevNull}, "", "k: file "+os.DevNull+" is not a regular file")
}

func resolves(t *testing.T, s SecretRef, want, wantErr string) {
	t.Helper()
	got, err := s.Resolve()
	if got.Reveal() != want {
		t.Errorf("got %q, want %q", got.Reveal(), want)
	}
	if said := fmt.Sprint(err); wantErr != "" && said != wantErr || wantErr == "" && err != nil {
		t.Errorf("got error %q, want %q", said, wantErr)
	}
}
