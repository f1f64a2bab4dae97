//go:build unix

package tokens

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func shell(script string) Command { return Command{Argv: []string{"sh", "-c", script}} }

func TestCommandPrintsAToken(t *testing.T) {
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	stamp := soon.Format(time.RFC3339)
	for name, c := range map[string]struct {
		output string
		expiry time.Time // zero = not said
	}{
		"bare":           {"access-1\n", time.Time{}},
		"no line end":    {"access-1", time.Time{}},
		"ExecCredential": {`{"kind":"ExecCredential","spec":{},"status":{"token":"access-1","expirationTimestamp":"` + stamp + `"}}`, soon},
		"no expiration":  {`{"status":{"token":"access-1"}}`, time.Time{}},
		"expires_in":     {` {"access_token":"access-1","expires_in":3600}`, soon},
		"in quotes":      {`{"token":"access-1","expires_in":"3600"}`, soon},
		"expires_at":     {`{"token":"access-1","expires_at":"` + stamp + `"}`, soon},
		"expiry":         {`{"access_token":"access-1","refresh_token":"x","expiry":"` + stamp + `"}`, soon},
		"null":           {`{"access_token":"access-1","expiry":null,"expires_in":null}`, time.Time{}},
		"zero":           {`{"access_token":"access-1","expires_in":0}`, time.Time{}},
		"JSON string":    {`"access-1"` + "\r\n", time.Time{}},
		"CRLF":           {"access-1\r\n", time.Time{}},
		"a header":       {"Bearer access-1\n", time.Time{}},
		"mark":           {"\ufeffaccess-1\n", time.Time{}},
		"UTF-16":         {inUTF16("\ufeffaccess-1\r\n", false), time.Time{}},
		"UTF-16, JSON":   {inUTF16(`{"access_token":"access-1","expires_in":3600}`, true), soon},
		"epoch":          {`{"access_token":"access-1","expires_at":` + strconv.FormatInt(soon.Unix(), 10) + `}`, soon},
		"milliseconds":   {`{"accessToken":"access-1","expiresAt":"` + strconv.FormatInt(soon.UnixMilli(), 10) + `"}`, soon},
		"az":             {`{"accessToken":"access-1","expiresOn":"` + soon.Local().Format("2006-01-02 15:04:05.000000") + `","expires_on":` + strconv.FormatInt(soon.Unix(), 10) + `,"subscription":"x","tenant":"x","tokenType":"Bearer"}`, soon},
		"older az":       {`{"accessToken":"access-1","expiresOn":"` + soon.Local().Format("2006-01-02 15:04:05.000000") + `","tokenType":"Bearer"}`, soon},
		"local time":     {`{"token":"access-1","expiry":"` + soon.Local().Format(time.DateTime) + `"}`, soon},
		"with a zone":    {`{"token":"access-1","expiry":"` + soon.Format("2006-01-02 15:04:05 +0000 UTC") + `"}`, soon},
		"config-helper":  {`{"configuration":{"active":"x"},"credential":{"access_token":"access-1","id_token":"x","token_expiry":"` + stamp + `"}}`, soon},
	} {
		file := testkit.File(t, "output", c.output)
		command := Command{Argv: []string{"cat", file}}
		grant, err := command.Renew(t.Context(), Grant{Refresh: "x"})
		if err != nil || grant.Access != "access-1" || !grant.Refresh.IsZero() || grant.Kind != "command" || grant.LoggedIn.IsZero() {
			t.Errorf("%s: %+v, %v", name, grant, err)
		}
		if off := grant.Expiry.Sub(c.expiry).Abs(); off > 10*time.Second || grant.Expiry.IsZero() != c.expiry.IsZero() {
			t.Errorf("%s: ends %v", name, grant.Expiry)
		}
		if !command.Matches(grant) || shell("other").Matches(grant) {
			t.Error("fits another command")
		}
	}
}

func TestCommandThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		command Command
		action  Action
		say     string
	}{
		"none":       {Command{}, ActionConfig, "no token command"},
		"not found":  {Command{Argv: []string{"/no/such/program"}}, ActionConfig, "could not be started"},
		"no folder":  {Command{Argv: []string{"true"}, Dir: "/no/such/folder"}, ActionConfig, "could not be started"},
		"exit":       {shell("echo " + canary + " >&2; exit 7"), ActionRetry, "exit status 7"},
		"killed":     {shell("kill -9 $$"), ActionRetry, "killed"},
		"silent":     {shell("true"), ActionConfig, "neither"},
		"two lines":  {shell("echo c4n4ry; echo two"), ActionConfig, "neither"},
		"sentence":   {shell("echo you are not logged in"), ActionConfig, "neither"},
		"no JSON":    {shell("echo '{c4n4ry'"), ActionConfig, "JSON that cannot be read"},
		"cut JSON":   {shell("echo '{\"token\":\"c4n4ry\",\"exp'"), ActionConfig, "JSON that cannot be read"},
		"no token":   {shell("echo '{\"a\":\"c4n4ry\"}'"), ActionConfig, "JSON without a token"},
		"bad token":  {shell("echo '{\"token\":\"c4n4ry and more\"}'"), ActionConfig, "JSON without a token"},
		"bad expiry": {shell(`echo '{"token":"c4n4ry","expiry":"soon"}'`), ActionConfig, "a time that cannot be read, as expiry"},
		"two quoted": {shell(`echo '"c4n4ry" "two"'`), ActionConfig, "neither"},
		"endless":    {shell("yes c4n4ry"), ActionConfig, "64 KiB"},
	} {
		_, err := c.command.Renew(t.Context(), Grant{})
		e := asError(err)
		if err == nil || e.Action != c.action || !strings.Contains(e.Message, c.say) || e.Hint == "" {
			t.Errorf("%s: %#v", name, err)
		}
		checkSilent(t, e)
	}
}

func TestCommandGetsWhatItIsGiven(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TOKEN", "inherited")
	for want, command := range map[Secret]Command{
		"inherited":                   shell(`echo "$TOKEN"`),
		"given":                       {Argv: []string{"/bin/sh", "-c", `echo "$TOKEN"`}, Env: []string{"TOKEN=given"}},
		"empty":                       shell(`test -z "$(cat)" && echo empty`),
		Secret(filepath.Base(folder)): {Argv: []string{"sh", "-c", `basename "$PWD"`}, Dir: folder},
		"$TOKEN":                      {Argv: []string{"echo", "$TOKEN"}}, // no shell
	} {
		if grant, err := command.Renew(t.Context(), Grant{}); err != nil || grant.Access != want {
			t.Errorf("%s: %s, %v", want.Reveal(), grant.Access.Reveal(), err)
		}
	}
}

func TestCommandIsEndedWithItsChildren(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := shell("sleep 600 & echo $! >"+file+"; wait").Renew(ctx, Grant{})
	if e := asError(err); err == nil || e.Action != ActionRetry || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	text := testkit.Must(os.ReadFile(file))(t)
	child := testkit.Must(strconv.Atoi(strings.TrimSpace(string(text))))(t)
	testkit.Eventually(t, "the end of its child", func() bool {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		return syscall.Kill(child, 0) != nil || err == nil && strings.Contains(string(status), ") Z ")
	})
}

// A helper may leave an agent behind that holds on to stdout.
func TestCommandMayLeaveAnAgentBehind(t *testing.T) {
	grant, err := shell("sleep 3 & echo access-1").Renew(t.Context(), Grant{})
	if err != nil || grant.Access != "access-1" {
		t.Error(err)
	}
}
