package tokens

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// refusal turns a response without a token into an error. The three outcomes are
// kept apart: only an OAuth error that was really parsed counts as the provider's
// word.
func (r *response) refusal() *Error {
	code := r.code()
	switch {
	case code == "invalid_grant" && !r.isTemporary():
		return deadGrant(r)
	case code != "" && (r.status == http.StatusBadRequest || r.status == http.StatusUnauthorized):
		return r.signed(refusal(code))
	case r.status/100 == 2 && (code == "" || holdsToken(r.text)):
		return unreadResponse(r)
	}
	return r.signed(strangeResponse(r))
}

// deadGrant is the provider's word that a refresh token, or a code, is dead.
func deadGrant(r *response) *Error {
	e := refusal("invalid_grant")
	e.Code = r.nearestCode()
	return e
}

// refusals explains the error codes of RFC 6749 section 5.2, and the one that Login
// with Amazon adds, that are the configuration's fault.
var refusals = map[string]struct{ message, hint string }{
	"invalid_client": {
		"the provider does not accept this client's ID or secret",
		"check client_id, client_secret (rotated, of another client or security profile, with a stray newline, missing, or sent by a client that must have none), " +
			"region or token_url, how the secret is sent (token_auth = \"basic\" or \"body\"), whether the client still exists, and whether it may use PKCE (pkce = \"off\" if not)",
	},
	"unauthorized_client": {
		"the provider does not allow this client to use this grant",
		"check the type of the client: web clients use a secret, device clients do not",
	},
	"invalidvalue":    wrongParameter,
	"invalid_request": wrongParameter,
	"invalid_scope": {
		"the provider does not grant the configured scopes to this client",
		"check scopes; at Amazon, for alexa:all, select the security profile of the product again and save, even where it is selected",
	},
	"unsupported_grant_type": {"the provider does not support this grant", "check grant and token_url"},
}

var wrongParameter = struct{ message, hint string }{
	"the provider found a wrong parameter in the request",
	"check client_id and, for a login by browser, redirect_url: a placeholder in their place is the usual cause, or at Amazon the product id; and whether the provider takes PKCE (pkce = \"off\" if not)",
}

// refusal explains an error code. Unknown codes are passing faults.
func refusal(code string) *Error {
	e := newError(ActionRetry, "the provider answered "+code, hintKept)
	if code == "invalid_grant" {
		e = newError(ActionLogin, "the provider no longer accepts this login",
			"log in again; it was revoked, has expired, or belongs to another client_id")
	} else if known, ok := refusals[code]; ok {
		e = newError(ActionConfig, known.message+" ("+code+")", known.hint)
	}
	e.Code = code
	return e
}

// errorCode puts a code into lower case: Amazon's own vary. The code is the one
// thing of a response that we repeat, so what does not look like one is left out.
func errorCode(code string) string {
	notLetter := func(r rune) bool { return r < 'a' || r > 'z' }
	code = strings.ToLower(code)
	if len(code) > 40 || strings.ContainsFunc(strings.ReplaceAll(code, "_", ""), notLetter) {
		return "unknown_error"
	}
	return code
}

// strangeResponse covers the responses that are neither tokens nor a refusal. An error
// code in one is shown, but proves nothing about a login.
func strangeResponse(r *response) *Error {
	code := r.nearestCode()
	e := newError(ActionRetry, strangeStatus(r.status, code), hintKept)
	e.Code, e.RetryAfter = code, retryAfter(r.header.Get("Retry-After"))
	if r.status == http.StatusTooManyRequests || e.RetryAfter > 0 {
		e.Action = ActionWait
	}
	if known := refusal(e.Code); known.Action == ActionConfig {
		e.Hint = known.Hint + "; " + hintKept
	}
	return e
}

func strangeStatus(status int, code string) string {
	said := strings.TrimSpace(strconv.Itoa(status) + " " + code)
	switch {
	case status == http.StatusTooManyRequests:
		return "the provider asks for a pause (" + said + ")"
	case status >= 500:
		return "the provider is in trouble (" + said + ")"
	}
	return "the provider gave no token, and did not say that the login has ended (" + said + ")"
}

// retryAfterMost is for how long we take a provider's word that it is down: its
// outage, or a slip in a header, must not outlast it by more.
const retryAfterMost = time.Hour

func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		wait = time.Duration(min(seconds, int64(retryAfterMost/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = min(time.Until(at), retryAfterMost)
	}
	return max(0, wait)
}

// exchangeError rewords the failure of a login's last step: nothing is kept yet,
// and the code is spent.
func exchangeError(e *Error) *Error {
	if e.Action == ActionLogin {
		e.Message = "the provider did not accept the code of this login"
		e.Hint = "start the login again; should that fail too, check client_id and redirect_url"
	}
	return loginError(e)
}

// loginError rewords what is a passing fault in a renewal: there is no login yet
// that could be kept.
func loginError(e *Error) *Error {
	if e.Action == ActionRetry || e.Action == ActionWait {
		e.Hint = "check the network, wait a little, and start the login again"
	}
	return e
}

// deviceRefusal explains the responses to polls (RFC 8628 section 3.5), with what
// Amazon (invalid_code_pair) and Microsoft (authorization_declined) call them.
// Action tells whether to go on: by the RFC any unknown error ends the login.
func deviceRefusal(code string) *Error {
	e := newError(ActionLogin, endedWith+code, hintStartAgain)
	switch code {
	case "authorization_pending":
		e = newError(ActionWait, "nobody has confirmed the login yet", "type the code at the provider's page")
	case "slow_down":
		e = newError(ActionWait, "the provider wants to be asked less often", "nothing; that is done")
	case "access_denied", "authorization_declined":
		e.Message = "the login was refused at the provider's page"
	case "expired_token", "invalid_code_pair", "invalid_grant":
		e.Message = "the code of this login has expired, or was used already"
	case "servererror", "server_error", "temporarily_unavailable", "throttling":
		return loginError(refusal(code))
	default:
		if known := refusal(code); known.Action == ActionConfig {
			return known
		}
	}
	e.Code = code
	return e
}

const endedWith = "the provider ended the login with "

// unfinished is the end of a login that no callback came for. The provider shows
// such mistakes on a page of its own, so that nobody tells us.
func unfinished(c *Client) *Error {
	e := newError(ActionLogin, "nobody finished this login within 10 minutes",
		"start the login again; if the provider showed an error page, then "+c.RedirectURL+
			" is not registered there byte for byte, or client_id is wrong")
	if slices.Contains(c.Scopes, "alexa:all") {
		e.Hint += ", or belongs to another security profile than the product"
	}
	return e
}

// redirectError explains the errors that come by redirect (RFC 6749 section
// 4.1.2.1). The description is the provider's, or a stranger's who knew the
// state; it is shown as text only and bounded.
func redirectError(code, description string) *Error {
	code = errorCode(code)
	e := newError(ActionLogin, endedWith+code, hintStartAgain)
	switch code {
	case "access_denied":
		e.Message = "the login was cancelled"
	case "invalid_scope", "unauthorized_client", "invalid_request":
		e = refusal(code)
	}
	e.Code = code
	if text := sentence(description); text != "" {
		e.Err = errors.New(text)
	}
	return e
}

// sentence leaves out what could play tricks on a terminal.
func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), 256)], "")
}
