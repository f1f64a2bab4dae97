package tokens

import (
	"errors"
	"strings"
	"time"
)

// grant is what the token endpoint's answer makes of old, where asked are the scopes
// that were asked for. Beside an error too the grant has the refresh token that the
// answer gave: the old one may be spent.
func (a *answer) grant(old Grant, asked []string) (Grant, error) {
	if !a.issues() {
		return old, a.refusal()
	}
	old.Generation++
	if refresh := a.refresh(); refresh != "" {
		old.Refresh = Secret(refresh)
	}
	access := a.str("access_token")
	switch {
	case access == "":
		return old, notAnAnswer(errors.New("it has no access token"))
	case strings.ContainsFunc(access, notVSCHAR):
		return old, notAnAnswer(errors.New("its token could not be sent in a header"))
	case !meansBearer(a.str("token_type")):
		return old, newError(ActionConfig, "the provider gave a token that is no bearer token (RFC 6750)",
			"have it give this client bearer tokens; those that are bound to a key (DPoP, MAC) cannot be injected")
	}
	now := wallNow()
	old.Access = Secret(access)
	old.Renewed, old.Expiry = now, time.Time{}
	life := a.life(now)
	if life == 0 && (!old.Refresh.IsZero() || old.Kind == clientKind) {
		life = lifeUnsaid
	}
	if life > 0 { // else it is a token like GitHub's, that is neither said to end nor to be renewed
		old.Expiry = now.Add(life)
	}
	if scopes := a.scopes(); len(scopes) > 0 {
		old.Scopes = scopes
	} else if old.Scopes == nil {
		old.Scopes = asked // RFC 6749 section 5.1: left out means as asked
	}
	return old, nil
}

// notVSCHAR tells what RFC 6749 (appendix A.12) does not allow in a token.
func notVSCHAR(r rune) bool { return r < 0x20 || r > 0x7e }

// meansBearer reports whether a token_type is that of RFC 6750, or what providers
// call it: eBay has "User Access Token" and "Application Access Token", Apigee
// "BearerToken". One that is left out, or is a number, says nothing.
func meansBearer(kind string) bool {
	letters := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(kind))
	return letters == "" || strings.Contains(letters, "bearer") || strings.HasSuffix(letters, "accesstoken")
}
