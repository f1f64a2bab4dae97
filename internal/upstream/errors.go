package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"avsproxy/internal/h1"
	"avsproxy/internal/h2"
	"avsproxy/internal/problem"
	"avsproxy/internal/tunnel"
)

// Problem tells a client why an upstream did not answer.
func Problem(err error, host string) problem.Problem {
	var spent *spentError
	switch {
	case errors.As(err, &spent):
		return spentProblem(spent, host)
	case IsTimeout(err):
		return timeoutProblem(err, host)
	}
	detail, hint := Describe(err)
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: host + ": " + detail, Hint: hint,
	}
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

func IsTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		(errors.As(err, &netErr) && netErr.Timeout())
}

// Describe says what went wrong in words of our own: the library's may quote
// what the upstream sent.
func Describe(err error) (detail, hint string) {
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
		reset    *h2.ResetError
		syntax   h1.SyntaxError
		hinted   interface { // of other rooms
			error
			Hint() string
		}
	)
	switch {
	case errors.As(err, &hinted):
		return hinted.Error(), hinted.Hint()
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
	case errors.As(err, &syntax):
		return "its answer is not HTTP as it should be: " + syntax.Error(), "check the upstream in config.toml; whether the request was acted upon is not known"
	case isForeign(err):
		return "its answer is not HTTP, or was cut within its head", "check the upstream in config.toml; whether the request was acted upon is not known"
	case errors.Is(err, errNoStreams):
		return "it allows 0 streams on a new connection", "try again later; it takes no requests now"
	case errors.As(err, new(connectError)):
		return "no connection came about", "check the network and the upstream in config.toml; see the log for the cause"
	case errors.Is(err, h2.ErrHeaderTooLarge):
		return "the request's header is larger than it takes", "send less: long cookies and tokens are the usual cause"
	case errors.As(err, new(unprocessed)), hasAny(err, "cannot retry err"): // the latter is what net/http's pool says
		return "it closed the connection or refused the request before it looked at it", "try again; the request was not acted upon"
	case errors.As(err, &reset) && reset.Err == nil:
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

// isForeign reports whether what came was not to be understood: over HTTP/2, or HTTP/1.1,
// for which net/http has no type.
func isForeign(err error) bool {
	var reset *h2.ResetError
	if errors.As(err, &reset) && reset.ByUs || errors.As(err, new(h2.ConnError)) {
		return true
	}
	return hasAny(err, "malformed")
}

// isLost reports whether the connection ended early.
func isLost(err error) bool {
	var reset *h2.ResetError
	if errors.As(err, &reset) && reset.Err != nil {
		return true
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || isCut(err)
}

// isCut knows net/http's ways of saying that a connection of HTTP/1.1 ended early.
func isCut(err error) bool { return hasAny(err, "EOF", "server closed idle connection") }

// IsGoodbye reports whether the upstream ended the connection in its usual way (RFC 9113
// section 6.8).
func IsGoodbye(err error) bool {
	var goodbye h2.GoAwayError
	return errors.As(err, &goodbye) && goodbye.Code == h2.NoError
}

func hasAny(err error, signs ...string) bool {
	text := err.Error()
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
}

// Cause returns an error for the log, whose text quotes nothing that the upstream sent.
func Cause(err error) error { return cause{err} }

// A cause is an error for the log: net/http's texts quote what the upstream sent,
// which may repeat a token. Nothing quoted remains.
type cause struct{ error }

// Error returns the text up to its first quotation.
func (c cause) Error() string {
	text, _, _ := strings.Cut(c.error.Error(), `"`)
	return strings.TrimRight(text, " :")
}

// Unwrap returns the error as it was.
func (c cause) Unwrap() error { return c.error }

// How answers of upstreams end that do not end well, in words for people.
const (
	connLeft     = "the upstream ended the connection (GOAWAY)"
	connLost     = "the upstream's connection was lost"
	AnswerBroken = "the upstream's answer broke off"
)

// EndOf says what an error tells about the upstream; "" = there was none.
func EndOf(err error) string {
	if err == nil {
		return ""
	}
	var reset *h2.ResetError
	switch {
	case errors.As(err, new(connectError)): // nothing was sent
		return ""
	case errors.As(err, new(h2.GoAwayError)):
		return connLeft
	case errors.As(err, &reset) && reset.ByUs:
		return AnswerBroken
	case errors.As(err, &reset) && reset.Err == nil:
		return "the upstream reset its stream (" + reset.Code.String() + ")"
	case isLost(err):
		return connLost
	}
	return AnswerBroken
}

// A Trouble is what keeps requests from the single connection to an upstream.
type Trouble struct {
	Detail string // what it is
	Hint   string // what to do about it
	Down   bool   // no request can go; else some wait
}

const (
	spentHint = "the log tells why each of them failed; find out why the upstream does not keep connections, or wait"
	fullHint  = "end downchannels and long polls that are not needed, or wait until a request has ended; " +
		"dial_timeout and header_timeout of the route bound the wait"
)

func spentProblem(spent *spentError, host string) problem.Problem {
	detail, hint := spent.explain(host)
	return problem.Problem{
		Code: problem.UpstreamUnreachable, Title: "the upstream could not be reached",
		Detail: detail, Hint: hint, RetryAfter: spent.wait,
	}
}
