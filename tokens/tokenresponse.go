package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// grant is what the token endpoint's response makes of old, where asked are the scopes
// that were asked for. Beside an error too the grant has the refresh token that the
// response gave: the old one may be spent.
func (r *response) grant(old Grant, asked []string) (Grant, error) {
	if !r.isTokenResponse() {
		return old, r.refusal()
	}
	old.Generation++
	if refresh := r.refresh(); refresh != "" {
		old.Refresh = Secret(refresh)
	}
	access := r.str("access_token")
	switch {
	case access == "":
		return old, unusableResponse(errors.New("it has no access token"))
	case strings.ContainsFunc(access, notVSCHAR):
		return old, unusableResponse(errors.New("its token could not be sent in a header"))
	case !meansBearer(r.str("token_type")):
		return old, newError(ActionConfig, "the provider gave a token that is no bearer token (RFC 6750)",
			"have it give this client bearer tokens; those that are bound to a key (DPoP, MAC) cannot be injected")
	}
	now := wallNow()
	old.Access = Secret(access)
	old.Renewed, old.Expiry = now, time.Time{}
	life := r.life(now)
	if life == 0 && (!old.Refresh.IsZero() || old.Kind == clientKind) {
		life = lifeUnsaid
	}
	if life > 0 { // else it is a token like GitHub's, that is neither said to end nor to be renewed
		old.Expiry = now.Add(life)
	}
	if scopes := r.scopes(); len(scopes) > 0 {
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

// code is the error code of RFC 6749 section 5.2, put into our words; "" = the
// response tells of no error. Some servers say "error": false or 0 beside a token.
func (r *response) code() string {
	var text string
	if json.Unmarshal(r.fields["error"], &text) != nil || text == "" {
		return ""
	}
	return errorCode(text)
}

// nearestCode is the response's error code, or the nearest to it that the response has.
func (r *response) nearestCode() string {
	if code := r.code(); code != "" {
		return code
	}
	for _, object := range append(r.errorList(), r.inner("error")) {
		for _, key := range []string{"errorType", "code", "type", "status"} {
			if word := plain(object[key]); word != "" {
				return errorCode(word)
			}
		}
	}
	return ""
}

// isTemporary reports whether the status says that the fault will pass, whatever else the
// response says.
func (r *response) isTemporary() bool {
	return r.status >= 500 || r.status == http.StatusTooManyRequests || r.status == http.StatusRequestTimeout
}

// matchesAny reports whether the response matches one of the patterns. One that tells of
// a temporary fault, or that has tokens, matches none.
func (r *response) matchesAny(patterns []ResponsePattern) bool {
	if r.isTemporary() || r.isTokenResponse() {
		return false
	}
	for _, object := range append(r.errorList(), r.fields) {
		for _, pattern := range patterns {
			if pattern.matches(object) {
				return true
			}
		}
	}
	return false
}

// signed notes in an error what the response was, where it is a refusal in JSON of
// which nobody knows whether it will pass.
func (r *response) signed(e *Error) *Error {
	if r.fields != nil && r.status/100 == 4 && !r.isTemporary() {
		e.sign = fmt.Sprint(r.status, " ", e.Code)
	}
	return e
}

// isTokenResponse reports whether the response is a token response (RFC 6749 section 5.1). Of
// one that broke off only a refresh token counts: it has its closing quote, and
// without one nobody knows whether the part that is missing had another.
func (r *response) isTokenResponse() bool {
	refresh := r.refresh()
	return r.status/100 == 2 && !isDamagedToken(refresh) && (refresh != "" || r.whole && r.str("access_token") != "")
}

// refresh is the refresh token; "" = there is none. Some servers write something else
// in its place.
func (r *response) refresh() string {
	switch text := r.str("refresh_token"); strings.TrimSpace(text) {
	case "", "0", "null", "none":
		return ""
	default:
		return text
	}
}

// isDamagedToken reports whether a token has what neither RFC 6750 (section 2.1) nor,
// for refresh tokens, RFC 6749 (appendix A.17) allows: it was damaged on its way and must
// not take the place of a good one, or it is no token but a message or a table.
func isDamagedToken(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r == ' ' || notVSCHAR(r) })
}

// scopes is the member scope: one text, or a list as Twitch sends it.
func (r *response) scopes() []string {
	var list []string
	if json.Unmarshal(r.fields["scope"], &list) == nil {
		return list
	}
	return strings.Fields(r.str("scope"))
}

const (
	lifeUnsaid = time.Hour // a provider that does not say: Amazon's, and most, are an hour
	lifeMost   = 365 * 24 * time.Hour
)

// life reads expires_in, which some responses leave out or get wrong: zero. A
// number that would be more than 30 years is the time of the end itself, in
// seconds or milliseconds since 1970, by the provider's clock.
func (r *response) life(now time.Time) time.Duration {
	const epoch, millis = 1e9, 1e11
	number, err := strconv.ParseFloat(strings.TrimSpace(r.str("expires_in")), 64)
	switch {
	case err != nil && !math.IsInf(number, 0), math.IsNaN(number), number <= 0:
		return 0
	case number >= millis:
		number /= 1000
		fallthrough
	case number >= epoch:
		if date, err := http.ParseTime(r.header.Get("Date")); err == nil {
			now = date
		}
		number -= float64(now.Unix())
	}
	return time.Duration(min(max(0, number), lifeMost.Seconds()) * float64(time.Second))
}
