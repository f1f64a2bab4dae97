package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/charset"
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
	if len(c.Argv) == 0 {
		return Grant{}, newError(ActionConfig, "there is no token command", `write command = ["program", "argument"]`)
	}
	text, err := secretsource.Command{Argv: c.Argv, Env: c.Env, Dir: c.Dir}.Output(ctx)
	if err != nil {
		return Grant{}, commandError(err)
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

// The names that programs have for the parts of their JSON: kubectl's plugins,
// gcloud, az, aws, and those that follow RFC 6749.
var (
	tokenMembers  = []string{"access_token", "accessToken", "token"}
	endMembers    = []string{"expires_on", "expires_at", "expiresAt", "expiry", "token_expiry", "expirationTimestamp", "expiresOn", "expiration"}
	lengthMembers = []string{"expires_in", "expiresIn"}
	innerMembers  = []string{"status", "credential"} // of kubectl's plugins, and of gcloud's config-helper
)

// parseCommandOutput returns the token and when it ends, zero = not said. The
// error says what is wrong with the output, and repeats nothing of it.
func parseCommandOutput(text []byte, now time.Time) (token Secret, expiry time.Time, err *Error) {
	text = bytes.TrimSpace(charset.UTF8(text))
	fields, whole := parseObject(text)
	switch {
	case fields != nil && !whole:
		return "", expiry, unusableOutput("JSON that cannot be read")
	case fields != nil:
		return parseCommandJSON(fields, now)
	}
	if err := json.Unmarshal(text, &token); err != nil { // as az prints one value
		token = Secret(text)
	}
	token = withoutScheme(token)
	if !presentable(token) {
		return "", expiry, unusableOutput("neither one token nor JSON with one")
	}
	return token, expiry, nil
}

func parseCommandJSON(fields map[string]json.RawMessage, now time.Time) (token Secret, expiry time.Time, err *Error) {
	r := &response{fields: fields}
	if token = withoutScheme(Secret(r.first(tokenMembers))); token.IsZero() {
		for _, name := range innerMembers {
			if inner := r.inner(name); len(inner) > 0 {
				return parseCommandJSON(inner, now)
			}
		}
	}
	if !presentable(token) {
		return "", expiry, unusableOutput("JSON without a token that could be sent: it should have access_token")
	}
	for _, name := range endMembers {
		if text := r.str(name); text != "" {
			end, ok := parseTime(text)
			if !ok {
				return "", expiry, unusableOutput("a time that cannot be read, as " + name)
			}
			return token, end, nil
		}
	}
	if life := seconds(r.first(lengthMembers), 0, time.Second, lifeMost); life > 0 {
		expiry = now.Add(life)
	}
	return token, expiry, nil
}

// parseTime reads a time as programs print it: RFC 3339, seconds or milliseconds
// since 1970, or this machine's local time without a zone, as az has it.
func parseTime(text string) (time.Time, bool) {
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		if number >= 1e11 {
			number /= 1000
		}
		return time.Unix(int64(number), 0), number > 0 && number < 1e11
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05 MST"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05"} { // fractions of seconds are taken too
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// withoutScheme is a token without the scheme of RFC 6750 in front of it.
func withoutScheme(token Secret) Secret {
	const scheme = "bearer "
	if text := token.Reveal(); len(text) > len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return Secret(strings.TrimSpace(text[len(scheme):]))
	}
	return token
}

// presentable reports whether a token could be sent in a header.
func presentable(token Secret) bool { return !token.IsZero() && !isDamagedToken(token.Reveal()) }

func unusableOutput(what string) *Error {
	return newError(ActionConfig, "the token command printed "+what,
		"run it by hand; on stdout there must be the token alone, or JSON with access_token and, where known, expires_in (seconds) or expires_at")
}
