package tokens

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/charset"
)

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
	a := &answer{fields: fields}
	if token = withoutScheme(Secret(a.first(tokenMembers))); token.IsZero() {
		for _, name := range innerMembers {
			if inner := a.inner(name); len(inner) > 0 {
				return parseCommandJSON(inner, now)
			}
		}
	}
	if !presentable(token) {
		return "", expiry, unusableOutput("JSON without a token that could be sent: it should have access_token")
	}
	for _, name := range endMembers {
		if text := a.str(name); text != "" {
			end, ok := parseTime(text)
			if !ok {
				return "", expiry, unusableOutput("a time that cannot be read, as " + name)
			}
			return token, end, nil
		}
	}
	if life := seconds(a.first(lengthMembers), 0, time.Second, lifeMost); life > 0 {
		expiry = now.Add(life)
	}
	return token, expiry, nil
}

// first is the first member that has a text.
func (a *answer) first(names []string) string {
	for _, name := range names {
		if text := a.str(name); text != "" {
			return text
		}
	}
	return ""
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

// presentable reports whether a token could be sent in a header. A space would
// be an error message or a table, not a token (RFC 6750 section 2.1).
func presentable(token Secret) bool {
	return !token.IsZero() && !strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r == ' ' || notVSCHAR(r) })
}

func unusableOutput(what string) *Error {
	return newError(ActionConfig, "the token command printed "+what,
		"run it by hand; on stdout there must be the token alone, or JSON with access_token and, where known, expires_in (seconds) or expires_at")
}
