package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

const small = `
[[route]]
name = "a"
upstream = "https://a.example.com"
`

func write(t *testing.T, path, text string) {
	t.Helper()
	testkit.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	testkit.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestLoadSearchesInOrder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	env := map[string]string{"HOME": dir}
	getenv := func(name string) string { return env[name] }
	found := func(path, want string) {
		t.Helper()
		write(t, want, small)
		if c, err := Load(path, getenv); err != nil || c.File != want {
			t.Errorf("got %+v, %v, want %s", c, err, want)
		}
	}
	found("", filepath.Join(dir, ".config/avsproxy/config.toml"))
	env["XDG_CONFIG_HOME"] = filepath.Join(dir, "xdg")
	found("", filepath.Join(dir, "xdg/avsproxy/config.toml"))
	found("", "config.toml")
	env["AVSPROXY_CONFIG"] = filepath.Join(dir, "named.toml")
	found("", filepath.Join(dir, "named.toml"))
	found("given.toml", "given.toml")
}

func TestLoadSaysWhereItLooked(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		path, named string
		want        []string
		says        string
	}{
		{"", "", []string{"config.toml", "/home/x/.config/avsproxy/config.toml"}, "no configuration found; looked at config.toml, /home/x/.config/avsproxy/config.toml"},
		{"", "gone.toml", []string{"gone.toml"}, "there is no file gone.toml, which AVSPROXY_CONFIG names"},
		{"given.toml", "gone.toml", []string{"given.toml"}, "there is no file given.toml, which --config names"},
	} {
		_, err := Load(c.path, func(name string) string {
			return map[string]string{"HOME": "/home/x", "XDG_CONFIG_HOME": "relative", "AVSPROXY_CONFIG": c.named}[name]
		})
		missing, ok := errors.AsType[*NotFound](err)
		if !ok || !cmp.Equal(missing.Places, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
		if err.Error() != c.says {
			t.Errorf("it says %v", err)
		}
	}
}

func TestLoadReportsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.toml")
	write(t, big, strings.Repeat("#\n", maxFile))
	for path, want := range map[string]string{
		dir: dir + ": cannot be read: is a directory; make it a file that you may read, or name another with --config FILE",
		big: big + ": is larger than 256 KiB; name the right file with --config FILE",
	} {
		_, err := Load(path, home)
		if _, ok := errors.AsType[Issues](err); !ok || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestStorePathNeedsSomeHome(t *testing.T) {
	_, err := Parse("config.toml", []byte(small), nil)
	if err == nil || !strings.Contains(err.Error(), "store.path: has no default") {
		t.Errorf("got %v", err)
	}
	for name, want := range map[string]string{"HOME": "/x/.local/state/avsproxy", "XDG_STATE_HOME": "/x/avsproxy"} {
		c, err := Parse("config.toml", []byte(small), func(asked string) string {
			return map[string]string{name: "/x"}[asked]
		})
		if err != nil || c.Store.Path != want {
			t.Errorf("%s: got %+v, %v", name, c, err)
		}
	}
}

func TestEverySettingIsTaken(t *testing.T) {
	c := testkit.Must(Load("testdata/good/full.toml", home))(t)
	sp, ads, files := c.Routes[0], c.Routes[1], c.Routes[len(c.Routes)-1]
	want := Route{
		Name: "sp", Upstream: "https://sandbox.sellingpartnerapi-eu.amazon.com", Credential: "alexa", Preset: "sp-api",
		CAFile: "ca.pem", TLSCert: "cert.pem", TLSKey: "key.pem", Headers: map[string]string{"X-One": "1"},
		Header: "x-amz-access-token", Format: "{token}", Allow: []string{"GET /a/*"}, ClientAuth: "keep", HealOn: []int{403},
		Strip: []string{"Cookie", "x-api-key"}, TokenEndpoint: true, WebSocket: true, Downchannel: "pass",
		SerializeEvents: true, Synchronize: true, FollowGateway: true,
		SingleConnection: true, DialTimeout: time.Minute, HeaderTimeout: 2 * time.Second,
		Hosts: []string{"one.example.com:8443", "localhost:8080", "[::1]:8080"}, Line: 23, AllowOrigin: []string{"http://localhost:9744"},
	}
	if diff := cmp.Diff(want, sp); diff != "" {
		t.Error(diff)
	}
	if ads.Headers["Amazon-Advertising-API-ClientId"] != "amzn1.client" || ads.Header != "" || !cmp.Equal(ads.HealOn, []int{401, 403}) {
		t.Errorf("amazon-ads: %+v", ads)
	}
	if files.Downchannel != "keep" || !cmp.Equal(files.HealOn, []int{401}) || files.PingInterval != 4*time.Minute || files.SingleConnection {
		t.Errorf("defaults: %+v", files)
	}
	if c.Proxy.Others != "tunnel" || !cmp.Equal(c.Console.Hosts, []string{"localhost:8081"}) || !c.Proxy.DecisionHeader || c.Capture != (Capture{false, 1000, 2 << 30}) || c.Store.Kind != "memory" || c.Store.Path != "/var/lib/avsproxy" || len(c.Proxy.Listen) != 3 {
		t.Errorf("got %+v", c)
	}
	a, f := c.Credentials["alexa"], c.Credentials["files"]
	if !a.RedirectURLSet || a.Region != "eu" || a.AuthParams["ui"] != "x" || a.TokenParams["b"] != "y" || a.Line != 80 {
		t.Errorf("alexa: %+v", a)
	}
	if f.RedirectURLSet || f.Header != "X-Token" || f.Format != "{token}" || f.Scopes != nil {
		t.Errorf("files: %+v", f)
	}
	if !a.KeepWarm || a.RefreshTokenMaxAge != 365*24*time.Hour || len(a.OnLoginNeeded) != 2 || a.LoginReminder != 0 || a.TokenAuth != "basic" {
		t.Errorf("alexa: %+v", a)
	}
	if f.KeepWarm || f.RefreshTokenMaxAge != 0 || f.OnLoginNeeded != nil || f.LoginReminder != 15*time.Minute || f.TokenAuth != "" {
		t.Errorf("files: %+v", f)
	}
	if cli := c.Credentials["cli"]; !cmp.Equal(cli.Command, []string{"prog", "arg"}) || cli.Provider != "" {
		t.Errorf("cli: %+v", cli)
	}
	resolves(t, c.Credentials["robot"].ClientSecret, "from-a-command", "")
	resolves(t, c.Credentials["import"].ClientSecret, "from-the-keyring", "")
	resolves(t, a.ClientSecret, "hidden-text", "")
	resolves(t, f.RefreshToken, "from-a-file", "")
	resolves(t, c.Proxy.ClientKey, "value", "")
}

// TestCredentialsHeaderComesBeforeThePresets: what a person wrote wins.
func TestCredentialsHeaderComesBeforeThePresets(t *testing.T) {
	c := mustParse(t, `
[[route]]
name = "sp"
preset = "sp-api"
credential = "a"
[credential.a]
grant = "static"
token = "x"
header = "X-Mine"
`)
	if r := c.Routes[0]; r.Header != "" || r.Format != "" {
		t.Errorf("got %+v", r)
	}
}

func TestSandboxNeedsNoClient(t *testing.T) {
	text := strings.Replace(shippedText(t), `# client_secret = ""`, `client_secret = { env = "UNSET" }`, 1)
	c := testkit.Must(Parse("config.toml", []byte(text), home))(t)
	if c.Credentials["alexa"].ClientID != "" {
		t.Error("the test no longer tests")
	}
	text = strings.Replace(text, "sandbox = true", "sandbox = false", 1)
	_, err := Parse("config.toml", []byte(text), home)
	for _, key := range []string{"client_id: is missing", "client_secret: environment variable UNSET is not set"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("no issue of %s in %v", key, err)
		}
	}
}

func TestSandboxTakesAmazonsLogins(t *testing.T) {
	for _, grant := range []string{"authorization_code", "device_code", "client_credentials"} {
		mustParse(t, strings.Replace(shippedText(t), `# grant = "authorization_code"`, `grant = "`+grant+`"`, 1))
	}
}

// TestClientCredentialsHaveNoDefaultScope: alexa:all is the scope of a person's login.
func TestClientCredentialsHaveNoDefaultScope(t *testing.T) {
	c := mustParse(t, strings.Replace(shippedText(t), `# grant = "authorization_code"`, `grant = "client_credentials"`, 1))
	if scopes := c.Credentials["alexa"].Scopes; scopes != nil {
		t.Errorf("got %v", scopes)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0B": 0, "7 KB": 7000, "64KiB": 65536, "2MB": 2e6, "1MiB": 1 << 20, "3GiB": 3 << 30,
		"": -1, "7": -1, "KB": -1, "-1B": -1, "1.5MiB": -1, "1kib": -1, "9223372036854775807B": 1<<63 - 1, "9007199254740993KiB": -1, "1TB": -1,
	} {
		if got, ok := parseSize(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: got %d, %v", text, got, ok)
		}
	}
}
