package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// shortestSecret is how long a credential must be to be looked for in other
// places than its own: a short one would be found in innocent words.
const shortestSecret = 16

// MarshalJSON writes the arrival without credentials.
func (a Arrival) MarshalJSON() ([]byte, error) {
	type arrival Arrival // has the tags, but not this method
	hide := a.hider()
	shown := arrival(a)
	shown.Path, shown.Query, shown.Authority = hide(a.Path), hide(a.Query), hide(a.Authority)
	shown.Token = fingerprint(a.Token)
	shown.Fields = [][2]string{} // not null
	for _, field := range a.Fields {
		switch strings.ToLower(field[0]) {
		case "authorization", "proxy-authorization":
			field[1] = withFingerprint(field[1])
		case "cookie":
			field[1] = fingerprint(field[1])
		}
		shown.Fields = append(shown.Fields, [2]string{hide(field[0]), hide(field[1])})
	}
	shown.Trailer = hideAll(a.Trailer, hide)
	return json.Marshal(shown)
}

// fingerprint tells secrets apart and tells nothing else of them.
func fingerprint(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:4])
}

// withFingerprint keeps the scheme of a credential and the space around it, which
// are of interest.
func withFingerprint(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	if !ok {
		return fingerprint(value)
	}
	secret := strings.TrimSpace(rest)
	return scheme + " " + strings.Replace(rest, secret, fingerprint(secret), 1)
}

// hider finds the arrival's credentials also where they do not belong.
func (a Arrival) hider() func(string) string {
	var pairs []string
	for _, value := range a.Header.Values("Authorization") {
		_, rest, _ := strings.Cut(value, " ")
		if secret := strings.TrimSpace(rest); len(secret) >= shortestSecret {
			mark := fingerprint(secret)
			pairs = append(pairs, secret, mark, url.QueryEscape(secret), mark)
		}
	}
	return strings.NewReplacer(pairs...).Replace
}

func hideAll(header http.Header, hide func(string) string) http.Header {
	hidden := header.Clone()
	for _, values := range hidden {
		for i, value := range values {
			values[i] = hide(value)
		}
	}
	return hidden
}
