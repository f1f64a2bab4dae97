package tokens

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"avsproxy/internal/secretsource"
)

// A Command is a program that prints an access token, such as
// "gcloud auth print-access-token". It prints the token alone on one line, as it is
// or as a JSON string, or a JSON object: a Kubernetes ExecCredential
// (client.authentication.k8s.io), what "az account get-access-token" prints, or one
// with access_token or token and, where known, expires_in (seconds), expires_at or
// expiry (RFC 3339, seconds since 1970, or local time).
type Command struct {
	// Argv is the program and its arguments; no shell reads them. Other users of the
	// machine can: they are no place for a secret.
	Argv []string
	Env  []string // nil = this process's
	Dir  string   // where it runs; empty = here
}

// Renew runs the program, for at most 10 s and with nothing on its stdin; it is
// for [Source.Renew]. Where the program does not say when its token ends, Expiry
// is zero: the token is used until the upstream refuses it ([Source.Reject]). The
// error is an [*Error] that repeats nothing of what the program printed.
func (c Command) Renew(ctx context.Context, old Grant) (Grant, error) {
	text, err := c.output(ctx)
	if err != nil {
		return Grant{}, err
	}
	now := wallNow()
	grant := Grant{Kind: "command", Seed: c.seed(), Renewed: now, LoggedIn: old.LoggedIn}
	if grant.LoggedIn.IsZero() {
		grant.LoggedIn = now
	}
	var wrong *Error
	if grant.Access, grant.Expiry, wrong = parseCommandOutput(text, now); wrong != nil {
		return Grant{}, wrong
	}
	return grant, nil
}

// Matches reports whether a stored grant came from this very command; it is for
// [Source.Matches].
func (c Command) Matches(grant Grant) bool { return grant.Kind == "command" && grant.Seed == c.seed() }

func (c Command) seed() string { return Fingerprint(Secret(strings.Join(c.Argv, "\x00"))) }

func (c Command) output(ctx context.Context) ([]byte, error) {
	if len(c.Argv) == 0 {
		return nil, newError(ActionConfig, "there is no token command", `write command = ["program", "argument"]`)
	}
	text, err := secretsource.Command{Argv: c.Argv, Env: c.Env, Dir: c.Dir}.Output(ctx)
	if err != nil {
		return nil, commandError(err)
	}
	return text, nil
}

func commandError(err error) *Error {
	const hint = "run it by hand to see what it says; it is tried again by itself"
	var exit *exec.ExitError
	switch {
	case errors.Is(err, secretsource.ErrTooLarge):
		return newError(ActionConfig, "the token command printed more than 64 KiB", "run it by hand and see what it prints")
	case errors.Is(err, secretsource.ErrTimeout):
		return newError(ActionRetry, "the token command did not end within 10 seconds", hint)
	case errors.As(err, &exit):
		return newError(ActionRetry, fmt.Sprintf("the token command failed (%v)", exit.ProcessState), hint)
	}
	return newError(ActionConfig, "the token command could not be started", "check that the program exists and may be run")
}
