package tokens

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// grant carries old over into what the token endpoint answered just now.
func (c *Client) grant(token *oauth2.Token, old Grant) (Grant, error) {
	if token.RefreshToken != "" {
		old.Refresh = Secret(token.RefreshToken)
	}
	if strings.ContainsFunc(token.AccessToken, notVSCHAR) {
		return old, notAnAnswer(errors.New("its token could not be sent in a header"))
	}
	if kind := token.TokenType; kind != "" && !strings.EqualFold(kind, "bearer") {
		return old, &Error{
			Action: ActionConfig, Say: "the provider gave a token that is no bearer token (RFC 6750)",
			Hint: "have it give this client bearer tokens; those that are bound to a key (DPoP, MAC) cannot be injected",
		}
	}
	now := wallNow()
	old.Access = Secret(token.AccessToken)
	old.Renewed, old.Expiry = now, time.Time{}
	life := lifetime(token)
	if life == 0 && (!old.Refresh.IsZero() || old.Kind == clientKind) {
		life = lifeUnsaid
	}
	if life > 0 { // else it is a token like GitHub's, that is neither said to end nor to be renewed
		old.Expiry = now.Add(life)
	}
	if scope, ok := token.Extra("scope").(string); ok && scope != "" {
		old.Scopes = strings.Fields(scope)
	} else if old.Scopes == nil {
		old.Scopes = c.Scopes // RFC 6749 section 5.1: left out means as asked
	}
	return old, nil
}

// notVSCHAR tells what RFC 6749 (appendix A.12) does not allow in a token.
func notVSCHAR(r rune) bool { return r < 0x20 || r > 0x7e }

const (
	lifeUnsaid = time.Hour // a provider that does not say: Amazon's, and most, are an hour
	lifeMost   = 365 * 24 * time.Hour
)

// lifetime reads expires_in, which some answers leave out or get wrong: zero.
func lifetime(token *oauth2.Token) time.Duration {
	life := time.Duration(token.ExpiresIn) * time.Second
	if life == 0 && !token.Expiry.IsZero() { // a form-encoded answer
		life = time.Until(token.Expiry).Round(time.Second)
	}
	return min(max(0, life), lifeMost)
}

// seconds reads a number of seconds within bounds; what is left out, or is not
// above zero, counts as unsaid.
func seconds(number json.Number, unsaid, least, most time.Duration) time.Duration {
	value, err := number.Float64()
	if err != nil || value <= 0 {
		return unsaid
	}
	return max(least, time.Duration(min(value, most.Seconds())*float64(time.Second)))
}
