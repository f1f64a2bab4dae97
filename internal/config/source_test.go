package config

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"avsproxy/tokens"
)

func command(script string) SecretRef {
	return SecretRef{key: "k", command: []string{"sh", "-c", script}}
}

func TestResolveRunsCommands(t *testing.T) {
	unreadable, byHand := "k: the output of its command cannot be read: ", "; run it by hand to see why"
	for script, want := range map[string]string{
		`echo one`:                          "one",
		`printf 'one two\r\n'; echo no >&2`: "one two",
		`read x; echo "[$x]"`:               "[]", // nothing to read from
		`echo one; sleep 30 &`:              "one",
	} {
		resolves(t, command(script), want, "")
	}
	for script, want := range map[string]string{
		`exit 3`:           unreadable + "exit code 3" + byHand,
		`echo x; false`:    unreadable + "exit code 1" + byHand,
		`kill -9 $$`:       unreadable + "it was ended by a signal" + byHand,
		`echo no >&2`:      "k: the output of its command is empty",
		`yes`:              "k: the output of its command is larger than 64 KiB",
		`echo '{{TOKEN}}'`: "k: the output of its command is still a placeholder; put your own value in its place",
		`echo '<token>'`:   "k: the output of its command is still a placeholder; put your own value in its place",
	} {
		resolves(t, command(script), "", want)
	}
	resolves(t, SecretRef{key: "k", command: []string{"no-such-program"}}, "", unreadable+"executable file not found in $PATH"+byHand)
	resolves(t, SecretRef{key: "k", command: []string{"./no/such", "x"}}, "", unreadable+"no such file or directory"+byHand)
	resolves(t, SecretRef{key: "k", command: []string{"./testdata/secret"}}, "", unreadable+"permission denied"+byHand)
}

func TestCommandIsEndedInTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := readCommand(ctx, command("sleep 30 & sleep 30").command)
	if err == nil || !strings.Contains(err.Error(), "it did not end within 10s") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestResolveAsksTheKeyring(t *testing.T) {
	entry := SecretRef{key: "k", keyring: "https://service/user"}
	resolves(t, entry, "from-the-keyring", "")
	entry.keyring = "service/user"
	resolves(t, entry, "", "k: its keyring entry does not exist; add it to the keyring under the service and user that are named here")
}

func TestKeyringThatIsMissingOrHangs(t *testing.T) {
	_, err := readKeyring(t.Context(), "a/b", func(string, string) (string, error) { return "", errors.New("no\nbus") })
	if err == nil || err.Error() != "cannot be read: no bus; where no keyring runs, use { env }, { file } or { command }" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hang := make(chan struct{})
	defer close(hang)
	_, err = readKeyring(ctx, "a/b", func(string, string) (string, error) { <-hang; return "", keyring.ErrNotFound })
	if err == nil || err.Error() != "cannot be read: the keyring did not answer within 30s; unlock it first" {
		t.Errorf("got %v", err)
	}
}

// TestCheckKnowsTheKindOfAToken: what a person types in at a login is held to the same
// rules as what the file says.
func TestCheckKnowsTheKindOfAToken(t *testing.T) {
	a := mustParse(t, small+"[credential.a]\nprovider = \"amazon\"\ngrant = \"refresh_token\"\nclient_id = \"x\"").Credentials["a"]
	if !a.RefreshToken.IsZero() {
		t.Error("the test no longer tests")
	}
	for _, c := range []struct {
		secret SecretRef
		value  string
		good   bool
	}{
		{a.RefreshToken, "Atzr|x", true}, {a.RefreshToken, "Atza|x", false}, {a.RefreshToken, "{{TOKEN}}", false},
		{a.Token, "Atza|x", true}, {a.Token, "Atzr|x", false}, {a.ClientSecret, "Atzr|x", true}, {a.ClientSecret, " <x> ", false},
	} {
		if err := c.secret.Check(tokens.Secret(c.value)); (err == nil) != c.good {
			t.Errorf("%s of %s: %v", c.value, c.secret.key, err)
		}
	}
}

// TestLoadWithoutSecretsRunsNothing loads a file whose secrets cannot be read.
func TestLoadWithoutSecretsRunsNothing(t *testing.T) {
	ran := t.TempDir() + "/ran"
	file := t.TempDir() + "/config.toml"
	write(t, file, `
[proxy]
client_key = { command = ["touch", "`+ran+`"] }
[[route]]
name = "a"
upstream = "https://a.example.com"
credential = "a"
[credential.a]
grant = "static"
token = { keyring = "no/such" }
`)
	if _, err := LoadWithoutSecrets(file, home); err != nil {
		t.Error(err)
	}
	if _, err := readUpTo(ran, 1); err == nil {
		t.Error("the command was run")
	}
	_, err := Load(file, home)
	issues, _ := errors.AsType[Issues](err)
	if _, missing := readUpTo(ran, 1); missing != nil || len(issues) != 2 {
		t.Errorf("Load: got %v, %v", err, missing)
	}
}
