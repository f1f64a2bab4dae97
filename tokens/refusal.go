package tokens

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// refusal explains the error codes of RFC 6749 section 5.2 and the ones that
// Login with Amazon adds. Unknown codes are passing faults.
func refusal(code string) *Error {
	e := &Error{Action: ActionConfig, Code: code}
	switch code {
	case "invalid_grant":
		e.Action = ActionLogin
		e.Message = "the provider no longer accepts this login"
		e.Hint = "log in again; it was revoked, has expired, or belongs to another client_id"
	case "invalid_client":
		e.Message = "the provider does not accept this client's ID or secret (invalid_client)"
		e.Hint = "check client_id, client_secret (rotated, of another client or security profile, with a stray newline, missing, or sent by a client that must have none), " +
			"region or token_url, how the secret is sent (token_auth = \"basic\" or \"body\"), whether the client still exists, and whether it may use PKCE (pkce = \"off\" if not)"
	case "unauthorized_client":
		e.Message = "the provider does not allow this client to use this grant (unauthorized_client)"
		e.Hint = "check the type of the client: web clients use a secret, device clients do not"
	case "invalidvalue", "invalid_request":
		e.Message = "the provider found a wrong parameter in the request (" + code + ")"
		e.Hint = "check client_id and, for a login by browser, redirect_url: a placeholder in their place is the usual cause, or at Amazon the product id; and whether the provider takes PKCE (pkce = \"off\" if not)"
	case "invalid_scope":
		e.Message = "the provider does not grant the configured scopes to this client (invalid_scope)"
		e.Hint = "check scopes; at Amazon, for alexa:all, select the security profile of the product again and save, even where it is selected"
	case "unsupported_grant_type":
		e.Message = "the provider does not support this grant (unsupported_grant_type)"
		e.Hint = "check grant and token_url"
	default:
		e.Action = ActionRetry
		e.Message = "the provider answered " + code
		e.Hint = hintKept
	}
	return e
}

// errorCode puts a code into lower case: Amazon's own vary. The code is the one
// thing of an answer that we repeat, so what does not look like one is left out.
func errorCode(code string) string {
	notLetter := func(r rune) bool { return r < 'a' || r > 'z' }
	code = strings.ToLower(code)
	if len(code) > 40 || strings.ContainsFunc(strings.ReplaceAll(code, "_", ""), notLetter) {
		return "unknown_error"
	}
	return code
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

// deviceRefusal explains the answers to polls (RFC 8628 section 3.5), with what
// Amazon (invalid_code_pair) and Microsoft (authorization_declined) call them.
// Action tells whether to go on: by the RFC any unknown error ends the login.
func deviceRefusal(code string) *Error {
	e := &Error{Action: ActionLogin, Code: code, Hint: "start the login again"}
	switch code {
	case "authorization_pending":
		e.Action, e.Message, e.Hint = ActionWait, "nobody has confirmed the login yet", "type the code at the provider's page"
	case "slow_down":
		e.Action, e.Message, e.Hint = ActionWait, "the provider wants to be asked less often", "nothing; that is done"
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
		e.Message = "the provider ended the login with " + code
	}
	return e
}

// unfinished is the end of a login that no callback came for. The provider shows
// such mistakes on a page of its own, so that nobody tells us.
func unfinished(c *Client) *Error {
	e := &Error{Action: ActionLogin, Message: "nobody finished this login within 10 minutes"}
	e.Hint = "start the login again; if the provider showed an error page, then " + c.RedirectURL +
		" is not registered there byte for byte, or client_id is wrong"
	if slices.Contains(c.Scopes, "alexa:all") {
		e.Hint += ", or belongs to another security profile than the product"
	}
	return e
}

// redirectError explains the errors that come by redirect (RFC 6749 section
// 4.1.2.1). The description is the provider's, or a stranger's who knew the
// state; it is shown as text only and bounded.
func redirectError(code, description string) *Error {
	e := &Error{Action: ActionLogin, Code: errorCode(code), Hint: "start the login again"}
	switch e.Code {
	case "access_denied":
		e.Message = "the login was cancelled"
	case "invalid_scope", "unauthorized_client", "invalid_request":
		e = refusal(e.Code)
	default:
		e.Message = "the provider ended the login with " + e.Code
	}
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
