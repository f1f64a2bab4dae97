package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// shortestSecret is the length from which a credential is also replaced outside of its
// own field. A shorter one could be part of ordinary words.
const shortestSecret = 16

// MarshalJSON writes the arrival without credentials.
func (a Arrival) MarshalJSON() ([]byte, error) {
	type arrival Arrival // has the tags, but not this method
	redact := a.redactor()
	shown := arrival(a)
	shown.Path, shown.Query, shown.Authority = redact(a.Path), redact(a.Query), redact(a.Authority)
	shown.Token = fingerprint(a.Token)
	shown.Fields = [][2]string{} // not null
	for _, field := range a.Fields {
		switch strings.ToLower(field[0]) {
		case "authorization", "proxy-authorization":
			field[1] = withFingerprint(field[1])
		case "cookie":
			field[1] = fingerprint(field[1])
		}
		shown.Fields = append(shown.Fields, [2]string{redact(field[0]), redact(field[1])})
	}
	shown.Trailer = redactAll(a.Trailer, redact)
	return json.Marshal(shown)
}

// fingerprint distinguishes secrets without disclosing them.
func fingerprint(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:4])
}

// withFingerprint preserves the scheme of a credential and the spaces around it.
func withFingerprint(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	if !ok {
		return fingerprint(value)
	}
	secret := strings.TrimSpace(rest)
	return scheme + " " + strings.Replace(rest, secret, fingerprint(secret), 1)
}

// redactor returns a function that replaces the arrival's credentials anywhere in a text.
func (a Arrival) redactor() func(string) string {
	var pairs []string
	for _, value := range a.Header.Values("Authorization") {
		_, rest, _ := strings.Cut(value, " ")
		if secret := strings.TrimSpace(rest); len(secret) >= shortestSecret {
			shown := fingerprint(secret)
			pairs = append(pairs, secret, shown, url.QueryEscape(secret), shown)
		}
	}
	return strings.NewReplacer(pairs...).Replace
}

func redactAll(header http.Header, redact func(string) string) http.Header {
	redacted := header.Clone()
	for _, values := range redacted {
		for i, value := range values {
			values[i] = redact(value)
		}
	}
	return redacted
}
