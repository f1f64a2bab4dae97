package app

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/config"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// However many secrets a configuration has, each of them is hidden; and what the
// environment says of the proxy on the way is one of them.
func TestEverySecretOfALargeConfigurationIsMasked(t *testing.T) {
	var text strings.Builder
	text.WriteString("[[route]]\nname = \"plain\"\nupstream = \"https://127.0.0.1:1\"\n")
	for i := range 100 {
		fmt.Fprintf(&text, "[credential.c%d]\nprovider = \"oauth2\"\nauth_url = \"https://127.0.0.1:1\"\ntoken_url = \"https://127.0.0.1:1\"\nclient_id = \"c\"\nclient_secret = \"c4n4ry-%03d\"\n", i, i)
	}
	env := map[string]string{"HOME": t.TempDir(), "HTTPS_PROXY": "http://me:proxy%2Fpassword@proxy.example:3128"}
	getenv := func(name string) string { return env[name] }
	conf := testkit.Must(config.Parse("config.toml", []byte(text.String()), getenv))(t)
	p := testkit.Must(Build((&Environment{Getenv: getenv}), conf, Resolved{}))(t)
	known := p.secrets()
	for i := range 100 {
		if secret := fmt.Sprintf("c4n4ry-%03d", i); !slices.Contains(known, secret) {
			t.Errorf("%s is not hidden", secret)
		}
	}
	for _, secret := range []string{"proxy/password", base64.StdEncoding.EncodeToString([]byte("me:proxy/password"))} {
		if !slices.Contains(known, secret) {
			t.Errorf("%s is not hidden", secret)
		}
	}
}

func TestWrappedSecretsAreKnown(t *testing.T) {
	var s secretSet
	resolve := s.wrap(func() (tokens.Secret, error) { return "value", nil })
	if secret, err := resolve(); err != nil || secret.Reveal() != "value" || !slices.Equal(s.Values(), []string{"value"}) {
		t.Errorf("%v, %v, %q", secret, err, s.Values())
	}
}
