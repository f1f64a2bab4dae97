package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

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
	code := strings.ToLower(answer.ErrorCode)
	status := answer.Response.StatusCode
	if code == "" || (status != http.StatusBadRequest && status != http.StatusUnauthorized) {
		return strangeAnswer(answer.Response)
	}
	return refusal(code)
}

// unreachable covers everything before a usable answer: DNS, TLS, cut and
// unparsable answers. The text of the cause is rebuilt for parse errors, because
// they quote what the server sent.
func unreachable(err error) *Error {
	cause := err
	if strings.HasPrefix(err.Error(), "oauth2: cannot parse") {
		cause = errors.New("its answer is not a token answer (a captive portal?)")
	} else if errors.Is(err, context.DeadlineExceeded) {
		cause = errors.New("it did not answer in time")
	}
	return &Error{
		Action: ActionRetry,
		Say:    "the provider's token endpoint could not be used",
		Hint:   "check the network; the login is kept and the renewal is tried again by itself",
		Err:    cause,
	}
}

func strangeAnswer(resp *http.Response) *Error {
	e := &Error{
		Action:     ActionRetry,
		Say:        fmt.Sprintf("the provider's token endpoint answered %d without an OAuth error", resp.StatusCode),
		Hint:       "the login is kept and the renewal is tried again by itself",
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
	e := &Error{Action: ActionConfig, Code: printable(code)}
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
		e.Say = "the provider answered " + e.Code
		e.Hint = "the login is kept and the renewal is tried again by itself"
	}
	return e
}

// printable keeps to the characters RFC 6749 allows in an error code and bounds
// its length: the code is the one thing of an answer that we repeat.
func printable(code string) string {
	keep := func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}
	code = strings.Map(keep, code)
	return code[:min(len(code), 64)]
}

func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
