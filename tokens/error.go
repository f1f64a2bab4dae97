package tokens

import (
	"crypto/tls"
	"errors"
	"net"
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
// a response.
type Error struct {
	Action Action
	// Code is the provider's error code (RFC 6749 section 5.2), empty where the
	// response had none.
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

// hintAtUnread says where a response that could not be read is kept; empty = nowhere.
func (e *Error) hintAtUnread(path string) {
	if path != "" {
		e.Hint = "an answer that could not be read is kept in " + path + " (secret: it may hold the only refresh token that is left); " + e.Hint
	}
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
	e, ok := errors.AsType[*Error](err)
	return ok && e.Action == ActionLogin
}

// asError makes sure that what a caller sees is an [*Error].
func asError(err error) *Error {
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	if unusable, ok := errors.AsType[*UnusableError](err); ok {
		return newError(ActionConfig, "the stored login cannot be used", unusable.Error()).because(err)
	}
	return newError(ActionRetry, "the token could not be renewed", hintKept).because(err)
}

// Hints that several failures have.
const (
	hintKept       = "the login is kept and the renewal is tried again, by 'serve' or with the next use"
	hintStartAgain = "start the login again"
	hintConfig     = "see the configuration"
)

// unreachable covers everything before a usable response: DNS, TLS, cut and
// unparsable responses.
func unreachable(err error) *Error {
	return newError(ActionRetry, "the provider's endpoint could not be used", "check the network; "+hintKept).because(plainCause(err))
}

func unusableResponse(cause error) *Error {
	return newError(ActionRetry, "the provider gave no usable answer", hintKept).because(cause)
}

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
