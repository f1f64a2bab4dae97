package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2"

	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
	"avsproxy/tokens"
)

// errConnect is about what no handler here can do: make a connection a tunnel.
var errConnect = errors.New("CONNECT is not served by routes")

// explain turns whatever kept a request from being answered by the upstream into
// a problem for the client. It is the one place that does.
func explain(err error, origin *url.URL, loginURL string) problem.Problem {
	var tokenErr *tokens.Error
	var spent *spentError
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
	case errors.As(err, &spent):
		return spentProblem(spent, origin.Host)
	case isTimeout(err):
		return timeoutProblem(err, origin.Host)
	}
	detail, hint := describe(err)
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: origin.Host + ": " + detail, Hint: hint,
	}
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

func timeoutProblem(err error, host string) problem.Problem {
	p := problem.Problem{
		Code: problem.UpstreamTimeout, Title: "the upstream did not answer in time",
		Detail: "no answer from " + host + " in time",
		Hint:   "try again; header_timeout of the route sets the bound",
	}
	var connecting connectError
	if errors.As(err, &connecting) {
		p.Detail = "no connection to " + host + " in time; nothing was sent"
		p.Hint = "check the network and the upstream in config.toml; dial_timeout of the route sets the bound"
	}
	if full := (*fullError)(nil); errors.As(err, &full) {
		p.Detail, p.Hint = host+": "+full.Error()+"; nothing was sent", fullHint
	}
	if errors.As(err, new(proxyError)) {
		p.Hint = "check the proxy that HTTPS_PROXY names; dial_timeout of the route sets the bound"
	}
	return p
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

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		(errors.As(err, &netErr) && netErr.Timeout())
}

// describe says what went wrong in words of our own: the library's may quote
// what the upstream sent.
func describe(err error) (detail, hint string) {
	var onTheWay proxyError
	if errors.As(err, &onTheWay) {
		return describeProxy(onTheWay.error)
	}
	var forbidden *tunnel.Forbidden
	if errors.As(err, &forbidden) {
		return forbidden.Error(), "correct 'upstream' of the route in config.toml"
	}
	var (
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		verify   *tls.CertificateVerificationError
		noTLS    tls.RecordHeaderError
		reset    http2.StreamError
	)
	switch {
	case errors.As(err, new(refusedError)):
		return err.Error(), "try again; the answers to other requests tell more, such as GET /ping"
	case errors.As(err, &dns):
		return "its name could not be resolved", "check the network and the upstream in config.toml"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused", "check that it runs and that the upstream in config.toml is right"
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that is not trusted", "set ca_file of the route, or SSL_CERT_FILE, to the root it should have"
	case errors.As(err, &hostname):
		return "its certificate is for another name", "check the upstream in config.toml; a network that intercepts TLS does this too"
	case errors.As(err, &verify):
		return "its certificate is not valid (expired, or this machine's clock is wrong)", "check the clock of both sides"
	case isAlert(err):
		return "it ended the TLS handshake", "it may ask for a client certificate: tls_cert and tls_key of the route"
	case errors.As(err, &noTLS):
		return "it does not speak TLS", "check the upstream in config.toml, above all its port"
	case errors.Is(err, errUnasked):
		return "it switched to a protocol that was not asked for", "check the upstream in config.toml"
	case isForeign(err):
		return "its answer is not HTTP, or was cut within its head", "check the upstream in config.toml; whether the request was acted upon is not known"
	case errors.Is(err, errNoStreams):
		return "it allows 0 streams on a new connection", "try again later; it takes no requests now"
	case errors.As(err, new(connectError)):
		return "no connection came about", "check the network and the upstream in config.toml; see the log for the cause"
	case hasAny(err, "request header list larger than peer's advertised limit"):
		return "the request's header is larger than it takes", "send less: long cookies and tokens are the usual cause"
	case errors.As(err, new(unprocessed)), hasAny(err, "cannot retry err"): // the latter is what the pool says
		return "it closed the connection or refused the request before it looked at it", "try again; the request was not acted upon"
	case errors.As(err, &reset):
		return "it reset the request's stream (" + reset.Code.String() + ") before the answer", "try again; whether the request was acted upon is not known"
	case isLost(err):
		return "the connection was cut before the answer", "try again; whether the request was acted upon is not known"
	}
	return "the request could not be sent", "try again; see the log for the cause"
}

// isAlert reports whether the other side ended the handshake: crypto/tls exports
// no type for that.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// isForeign reports whether what came was not to be understood.
func isForeign(err error) bool { return hasAny(err, "malformed", "http2: frame", "connection error: ") }

// isLost reports whether the connection ended early.
func isLost(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || isCut(err)
}

// isCut knows net/http's ways of saying that a connection ended early.
func isCut(err error) bool {
	return hasAny(err, "EOF", "server closed idle connection", "client connection lost", "GOAWAY", "stream error", "client conn")
}

func hasAny(err error, signs ...string) bool {
	text := err.Error()
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
}

// A cause is an error for the log: net/http's texts quote what the upstream sent,
// which may repeat a token. Nothing quoted remains.
type cause struct{ error }

// Error returns the text up to its first quotation.
func (c cause) Error() string {
	text, _, _ := strings.Cut(c.error.Error(), `"`)
	text, _, _ = strings.Cut(text, "; LastStreamID") // of a GOAWAY
	return strings.TrimRight(text, " :")
}

// Unwrap returns the error as it was.
func (c cause) Unwrap() error { return c.error }
