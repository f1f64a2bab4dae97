package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// FuzzParse puts any text around a secret. Whatever comes of it, parse must
// not panic, and no issue may have the secret.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.toml")
	for _, file := range append(files, shipped) {
		text := testkit.Must(os.ReadFile(file))(f)
		f.Add("", string(text))
		f.Add(string(text), "")
	}
	f.Add("x = '''", "'''")
	f.Add("x = \"\"\"\n", "\"\"\"\n[[route]]\nhosts=[{a=1}]\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		text := before + "\n[credential.x]\nclient_secret = \"" + canary + "\"\n" + after
		if testkit.HasCanary(before+after) || len(text) > 1<<14 {
			return // it may name itself; the parser is slow on deep nesting
		}
		inEnvironment := func(s SecretRef) bool { return s.env != "" } // do not touch this machine's files, programs and keyring
		c, err := parse("config.toml", []byte(text), home, inEnvironment, Overrides{})
		issues, _ := errors.AsType[Issues](err)
		if err == nil {
			checkGood(t, c)
		}
		checkIssues(t, issues, text)
	})
}

func checkGood(t *testing.T, c *Config) {
	t.Helper()
	if len(c.Routes) == 0 || len(c.Proxy.Listen) == 0 || c.Store.Path == "" {
		t.Errorf("incomplete: %+v", c)
	}
	for _, r := range c.Routes {
		if !strings.HasPrefix(strings.ToLower(r.Upstream), "https://") || !isLabel(r.Name) {
			t.Errorf("let through: %+v", r)
		}
	}
}

func checkIssues(t *testing.T, issues Issues, text string) {
	t.Helper()
	testkit.NoCanary(t, "the error", issues.Error())
	for _, c := range issues {
		if c.Line < 0 || c.Line > strings.Count(text, "\n")+1 || c.Message == "" || strings.Contains(c.String(), "\n") {
			t.Errorf("bad issue %#v", c)
		}
	}
}
