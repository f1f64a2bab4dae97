package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"avsproxy/internal/problem"
	"avsproxy/tokens"
)

// explain turns whatever kept a request from being answered by the upstream into
// a problem for the client. It is the one place that does.
func explain(ctx context.Context, err error, o ForwardOptions) problem.Problem {
	var tokenErr *tokens.Error
	switch {
	case errors.As(err, &tokenErr):
		return tokenProblem(tokenErr, o.LoginURL)
	case errors.Is(err, ErrClientAuth):
		return problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed", Detail: sentence(err),
			Hint: "leave the client's own credential out, or change client_auth of the route in config.toml",
		}
	case errors.Is(err, ErrWrongOrigin):
		return problem.Problem{
			Code: problem.NotAllowed, Title: "the request is not allowed", Detail: sentence(err),
			Hint: "check the upstream of the route in config.toml",
		}
	case isTimeout(err):
		return problem.Problem{
			Code: problem.UpstreamTimeout, Title: "the upstream did not answer in time",
			Detail: "no answer from " + o.Origin.Host + " in time",
			Hint:   "try again; dial_timeout and header_timeout of the route set the bounds",
		}
	}
	detail, hint := describe(err)
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: o.Origin.Host + ": " + detail, Hint: hint,
	}
}

func tokenProblem(err *tokens.Error, loginURL string) problem.Problem {
	if err.Action == tokens.ActionLogin {
		return problem.Problem{
			Code: problem.LoginRequired, Title: "a login is needed", Detail: err.Say + ".",
			Hint: "run 'avsproxy login', or open login_url in a browser", LoginURL: loginURL,
		}
	}
	wait := err.RetryAfter
	if wait == 0 {
		wait = time.Second
	}
	return problem.Problem{
		Code: problem.TokenRefreshFailed, Title: "the token could not be renewed", Detail: err.Error() + ".",
		Hint: err.Hint, RetryAfter: wait,
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		(errors.As(err, &netErr) && netErr.Timeout())
}

// describe says what went wrong in words of our own: the library's may quote
// what the upstream sent.
func describe(err error) (detail, hint string) {
	var (
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		alert    tls.AlertError
	)
	switch {
	case errors.As(err, &dns):
		return "its name could not be resolved", "check the network and the upstream in config.toml"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused", "check that it runs and that the upstream in config.toml is right"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), isCut(err):
		return "the connection was cut before the answer", "try again; whether the request was acted upon is not known"
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that is not trusted", "set ca_file of the route, or SSL_CERT_FILE, to the root it should have"
	case errors.As(err, &hostname):
		return "its certificate is for another name", "check the upstream in config.toml; a network that intercepts TLS does this too"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "its certificate is not valid (expired, or this machine's clock is wrong)", "check the clock of both sides"
	case errors.As(err, &alert):
		return "it ended the TLS handshake: " + alert.Error(), "it may ask for a client certificate: tls_cert and tls_key of the route"
	case strings.Contains(err.Error(), "malformed HTTP"):
		return "it does not speak HTTP", "check the upstream in config.toml"
	}
	return "the request could not be sent", "try again; see the log for the cause"
}

// isCut knows net/http's ways of saying that a connection ended early.
func isCut(err error) bool {
	text := err.Error()
	for _, sign := range []string{"EOF", "server closed idle connection", "client connection lost", "GOAWAY", "connection closed", "stream error", "client conn"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// sentence makes one of an error's words.
func sentence(err error) string { return err.Error() + "." }
