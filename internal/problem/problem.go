// Package problem writes the errors of avsproxy itself as problem details (RFC 9457),
// so that clients can tell them from the upstream's.
package problem

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Header has the code of an error that avsproxy made. An upstream's own header of
// that name is removed.
const Header = "Avsproxy-Error"

// A Code is the stable name of an error, for programs.
type Code string

// The codes and the statuses they come with.
const (
	LoginRequired       Code = "login_required"       // 503
	TokenRefreshFailed  Code = "token_refresh_failed" // 503
	UpstreamUnreachable Code = "upstream_unreachable" // 502
	UpstreamTimeout     Code = "upstream_timeout"     // 504
	UnknownHost         Code = "unknown_host"         // 421
	OriginForbidden     Code = "origin_forbidden"     // 403
	UserForbidden       Code = "user_forbidden"       // 403
	NotAllowed          Code = "not_allowed"          // 403
	ClientKeyRequired   Code = "client_key_required"  // 407
	BadRequest          Code = "bad_request"          // 400
	Busy                Code = "busy"                 // 503: a limit of ours is reached
)

// A Problem is one error for a client.
type Problem struct {
	Code   Code
	Title  string // what happened, the same for every problem of this code
	Detail string // what happened this time
	Hint   string // what to do next
	// LoginURL is where a person can log in; empty if that does not help.
	LoginURL string
	// RetryAfter becomes the header, in whole seconds, rounded up; zero = none.
	RetryAfter time.Duration
}

// Status returns the HTTP status of a code; 500 for an unknown one.
func (c Code) Status() int {
	switch c {
	case LoginRequired, TokenRefreshFailed, Busy:
		return http.StatusServiceUnavailable
	case UpstreamUnreachable:
		return http.StatusBadGateway
	case UpstreamTimeout:
		return http.StatusGatewayTimeout
	case UnknownHost:
		return http.StatusMisdirectedRequest
	case OriginForbidden, UserForbidden, NotAllowed:
		return http.StatusForbidden
	case ClientKeyRequired:
		return http.StatusProxyAuthRequired
	case BadRequest:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

type body struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     Code   `json:"code"`
	Hint     string `json:"hint"`
	LoginURL string `json:"login_url,omitempty"`
}

// Write answers w with the problem, not to be cached.
func (p Problem) Write(w http.ResponseWriter) {
	status := p.Code.Status()
	text, _ := json.MarshalIndent(body{ // strings and numbers cannot fail to encode
		Type: "urn:avsproxy:" + string(p.Code), Title: p.Title, Status: status,
		Detail: p.Detail, Code: p.Code, Hint: p.Hint, LoginURL: p.LoginURL,
	}, "", "  ")
	text = append(text, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(Header, string(p.Code))
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if p.Code == ClientKeyRequired {
		h.Set("Proxy-Authenticate", `Basic realm="avsproxy"`) // RFC 9110 section 15.5.8
	}
	w.WriteHeader(status)
	w.Write(text) // a client that is gone needs no error
}
