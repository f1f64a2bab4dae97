package tokens

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// An Action says who can end a failure, and how.
type Action string

const (
	ActionLogin  Action = "login"             // a person must log in again
	ActionConfig Action = "fix_configuration" // the configuration is wrong; retrying does not help
	ActionWait   Action = "wait"              // the provider asked for time
	ActionRetry  Action = "retry"             // a passing fault
)

// An Error is why no token could be had. It never holds a secret or the body of
// an answer.
type Error struct {
	Action Action
	// Code is the provider's error code (RFC 6749 section 5.2), empty where the
	// answer had none.
	Code string
	// Say is one sentence for a person, Hint the next step.
	Say, Hint string
	// RetryAfter is how long to wait before asking again; zero = not said.
	RetryAfter time.Duration
	Err        error // the cause, for the log; may be nil
}

// Error returns the sentence for a person, with the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Say
	}
	return e.Say + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LoginNeeded reports whether err can only be ended by a login.
func LoginNeeded(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Action == ActionLogin
}

// providerError turns the error of a call to the token endpoint into ours. The
// three outcomes are kept apart: only an OAuth error that was really parsed from
// a 400 or 401 answer counts as the provider's word.
func providerError(err error) *Error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return unreachable(err)
	}
	status := answer.Response.StatusCode
	if answer.ErrorCode == "" || (status != http.StatusBadRequest && status != http.StatusUnauthorized) {
		return strangeAnswer(answer.Response)
	}
	return refusal(errorCode(answer.ErrorCode))
}

// unreachable covers everything before a usable answer: DNS, TLS, cut and
// unparsable answers.
func unreachable(err error) *Error {
	return &Error{
		Action: ActionRetry,
		Say:    "the provider's token endpoint could not be used",
		Hint:   "check the network; " + hintKept,
		Err:    plainCause(err),
	}
}

func notAnAnswer(cause error) *Error {
	return &Error{
		Action: ActionRetry,
		Say:    "the provider's token endpoint gave no usable answer",
		Hint:   hintKept,
		Err:    cause,
	}
}

const hintKept = "the login is kept and the renewal is tried again by itself"

// plainCause keeps the errors of the network and of TLS, and puts words of our
// own in the place of all others: parsers quote what the server sent.
func plainCause(err error) error {
	var (
		timeout interface{ Timeout() bool }
		dial    *net.OpError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("it did not answer in time")
	case errors.As(err, &dial):
		return dial
	case errors.As(err, &cert):
		return cert
	case strings.HasPrefix(err.Error(), "oauth2: cannot parse"), strings.HasPrefix(err.Error(), "oauth2: server response missing"):
		return errors.New("its answer is not a token answer (a captive portal?)")
	}
	return errors.New("its answer broke off, or was none")
}

// exchangeError rewords the failure of a login's last step: nothing is kept yet,
// and the code is spent.
func exchangeError(e *Error) *Error {
	switch e.Action {
	case ActionLogin:
		e.Say = "the provider did not accept the code of this login"
		e.Hint = "start the login again; should that fail too, check client_id and redirect_url"
	case ActionRetry, ActionWait:
		e.Hint = "start the login again"
	}
	return e
}

func strangeAnswer(resp *http.Response) *Error {
	e := &Error{
		Action:     ActionRetry,
		Say:        fmt.Sprintf("the provider's token endpoint answered %d, which is no refusal by OAuth's rules", resp.StatusCode),
		Hint:       hintKept,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
	if resp.StatusCode == http.StatusTooManyRequests || e.RetryAfter > 0 {
		e.Action = ActionWait
	}
	return e
}

// refusal explains the error codes of RFC 6749 section 5.2 and the ones that
// Login with Amazon adds. Unknown codes are passing faults.
func refusal(code string) *Error {
	e := &Error{Action: ActionConfig, Code: code}
	switch code {
	case "invalid_grant":
		e.Action = ActionLogin
		e.Say = "the provider no longer accepts this login"
		e.Hint = "log in again; it was revoked, has expired, or belongs to another client_id"
	case "invalid_client":
		e.Say = "the provider refused the client's secret"
		e.Hint = "check client_id and client_secret: rotated, from another security profile, or with a stray newline"
	case "unauthorized_client":
		e.Say = "the provider does not allow this client to use this grant"
		e.Hint = "check the type of the client: web clients use a secret, device clients do not"
	case "invalidvalue", "invalid_request":
		e.Say = "the provider found a wrong parameter in the request"
		e.Hint = "check client_id and redirect_url: a placeholder or the product id in their place is the usual cause"
	case "invalid_scope":
		e.Say = "the provider does not grant the configured scopes to this client"
		e.Hint = "for alexa:all select the security profile of the product again and save, even where it is selected"
	case "unsupported_grant_type":
		e.Say = "the provider does not support this grant"
		e.Hint = "check grant and token_url"
	default:
		e.Action = ActionRetry
		e.Say = "the provider answered " + code
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

// retryAfterMost is for how long we take a provider's word that it is down: its
// outage, or a slip in a header, must not outlast it by more.
const retryAfterMost = time.Hour

func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(retryAfterMost/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = min(time.Until(at), retryAfterMost)
	}
	return max(0, wait)
}

// redirectError explains the errors that come by redirect (RFC 6749 section
// 4.1.2.1). The description is the provider's, or a stranger's who knew the
// state; it is shown as text only and bounded.
func redirectError(code, description string) *Error {
	e := &Error{Action: ActionLogin, Code: errorCode(code), Hint: "start the login again"}
	switch e.Code {
	case "access_denied":
		e.Say = "the login was cancelled"
	case "invalid_scope", "unauthorized_client", "invalid_request":
		e = refusal(e.Code)
	default:
		e.Say = "the provider ended the login with " + e.Code
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
