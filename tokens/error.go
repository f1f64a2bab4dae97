package tokens

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
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
	// Message is one sentence for a person, Hint the next step.
	Message, Hint string
	// RetryAfter is how long to wait before asking again; zero = not said.
	RetryAfter time.Duration
	// Probably says that the provider has given the same refusal for so long that a
	// login is probably needed, though its words do not say so. The renewal is tried on.
	Probably bool
	Err      error // the cause, for the log; may be nil

	sign string // status and code of a refusal in JSON, to know it again; "" = it was none
}

func newError(action Action, message, hint string) *Error {
	return &Error{Action: action, Message: message, Hint: hint}
}

// because returns e with its cause.
func (e *Error) because(cause error) *Error {
	e.Err = cause
	return e
}

// Error returns the sentence for a person, with the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NeedsLogin reports whether a login is needed, or probably so. A nil e is no error.
func (e *Error) NeedsLogin() bool { return e != nil && (e.Action == ActionLogin || e.Probably) }

// LoginNeeded reports whether err can only be ended by a login.
func LoginNeeded(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Action == ActionLogin
}

// refusal turns an answer without a token into an error. The three outcomes are
// kept apart: only an OAuth error that was really parsed counts as the provider's
// word.
func (a *answer) refusal() *Error {
	code := a.code()
	switch {
	case code == "invalid_grant" && !a.passing():
		return deadGrant(a)
	case code != "" && (a.status == http.StatusBadRequest || a.status == http.StatusUnauthorized):
		return a.signed(refusal(code))
	case a.status/100 == 2 && (a.code() == "" || holdsToken(a.text)):
		return unreadAnswer(a)
	}
	return a.signed(strangeAnswer(a))
}

// deadGrant is the provider's word that a refresh token, or a code, is dead.
func deadGrant(a *answer) *Error {
	e := refusal("invalid_grant")
	e.Code = a.word()
	return e
}

// unreachable covers everything before a usable answer: DNS, TLS, cut and
// unparsable answers.
func unreachable(err error) *Error {
	return newError(ActionRetry, "the provider's endpoint could not be used", "check the network; "+hintKept).because(plainCause(err))
}

func notAnAnswer(cause error) *Error {
	return newError(ActionRetry, "the provider gave no usable answer", hintKept).because(cause)
}

// Hints that several failures have.
const (
	hintKept       = "the login is kept and the renewal is tried again, by 'serve' or with the next use"
	hintStartAgain = "start the login again"
	hintConfig     = "see the configuration"
)

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
	}
	return errors.New("its answer broke off, or was none")
}

// strangeAnswer covers the answers that are neither tokens nor a refusal. An error
// code in one is shown, but proves nothing about a login.
func strangeAnswer(a *answer) *Error {
	code := a.word()
	e := newError(ActionRetry, strangeStatus(a.status, code), hintKept)
	e.Code, e.RetryAfter = code, retryAfter(a.header.Get("Retry-After"))
	if a.status == http.StatusTooManyRequests || e.RetryAfter > 0 {
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
