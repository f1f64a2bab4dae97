package config

import "testing"

func TestResolveQuickRunsNoCommand(t *testing.T) {
	c := mustParse(t, `
[[route]]
name = "x"
upstream = "https://x.example"
[proxy]
client_key = "in-the-file"
`)
	if got := c.Proxy.ClientKey.ResolveQuick().Reveal(); got != "in-the-file" {
		t.Errorf("got %q", got)
	}
	if got := (SecretRef{env: "SET", getenv: func(string) string { return "in-the-environment" }}).ResolveQuick().Reveal(); got != "in-the-environment" {
		t.Errorf("got %q", got)
	}
	for what, secret := range map[string]SecretRef{"none": {}, "a command's": {command: []string{"touch", "/nowhere/at/all"}}, "of no variable": {env: "NONE", getenv: func(string) string { return "" }}} {
		if got := secret.ResolveQuick(); !got.IsZero() {
			t.Errorf("%s: got %q", what, got.Reveal())
		}
	}
}
