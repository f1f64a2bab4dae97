package proxy

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"avsproxy/internal/problem"
	"avsproxy/internal/upstream"
	"avsproxy/tokens"
)

// errConnect is about what no handler here can do: make a connection a tunnel.
var errConnect = errors.New("CONNECT is not served by routes")

// explain turns whatever kept a request from being answered by the upstream into
// a problem for the client. It is the one place that does.
func explain(err error, origin *url.URL, loginURL string) problem.Problem {
	var tokenErr *tokens.Error
	switch {
	case errors.As(err, new(uploadError)):
		return badUpload()
	case errors.As(err, &tokenErr):
		return tokenProblem(tokenErr, loginURL)
	case errors.Is(err, ErrClientAuth):
		return notAllowed(err, "leave the client's own credential out, or change client_auth of the route in config.toml")
	case errors.Is(err, ErrWrongOrigin):
		return notAllowed(err, "check the upstream of the route in config.toml")
	case errors.Is(err, errConnect):
		return notAllowed(err, "send the request itself to the proxy")
	}
	return upstream.Problem(err, origin.Host)
}

// An uploadError is what is wrong with what the client sends.
type uploadError struct{ error }

// Unwrap returns the error as it was.
func (e uploadError) Unwrap() error { return e.error }

func badUpload() problem.Problem {
	return problem.Problem{
		Code: problem.BadRequest, Title: "the request is broken",
		Detail: "its body is not what its head announced, or not in good chunks (RFC 9112 section 7.1)",
		Hint:   "mend the client; the upstream did not get the whole request, and whether it acted upon a part of it is not known",
	}
}

func notAllowed(err error, hint string) problem.Problem {
	return problem.Problem{Code: problem.NotAllowed, Title: "the request is not allowed", Detail: err.Error(), Hint: hint}
}

func tokenProblem(err *tokens.Error, loginURL string) problem.Problem {
	if err.Action == tokens.ActionLogin {
		return problem.Problem{
			Code: problem.LoginRequired, Title: "a login is needed", Detail: err.Message,
			Hint: loginHint(err, loginURL), LoginURL: loginURL,
		}
	}
	wait := err.RetryAfter
	if wait == 0 {
		wait = time.Second
	}
	p := problem.Problem{
		Code: problem.TokenRefreshFailed, Title: "the token could not be renewed", Detail: err.Error(),
		Hint: err.Hint, RetryAfter: wait,
	}
	if err.Probably {
		p.LoginURL = loginURL
	}
	return p
}

// loginHint names the command for the credential that the login page is about.
func loginHint(err *tokens.Error, loginURL string) string {
	if err.Hint != "" && !strings.HasPrefix(err.Hint, "log in once") && !strings.HasPrefix(err.Hint, "log in again") {
		return err.Hint // no browser helps
	}
	command := "avsproxy login"
	if page, err := url.Parse(loginURL); err == nil && page.Query().Has("credential") {
		command += " " + page.Query().Get("credential")
	}
	return "run '" + command + "', or open login_url in a browser"
}
