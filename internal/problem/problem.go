// Package problem writes the errors of avsproxy itself as problem details (RFC 9457),
// so that clients can tell them from the upstream's.
package problem

import (
	"cmp"
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

// Codes of the errors that avsproxy makes.
const (
	LoginRequired       Code = "login_required"
	TokenRefreshFailed  Code = "token_refresh_failed"
	UpstreamUnreachable Code = "upstream_unreachable"
	UpstreamTimeout     Code = "upstream_timeout"
	UnknownHost         Code = "unknown_host"
	OriginForbidden     Code = "origin_forbidden"
	UserForbidden       Code = "user_forbidden"
	NotAllowed          Code = "not_allowed"
	ClientKeyRequired   Code = "client_key_required"
	BadRequest          Code = "bad_request"
	HeadTooLarge        Code = "head_too_large"
	Busy                Code = "busy" // a limit of ours is reached
)

var statuses = map[Code]int{
	LoginRequired:       http.StatusServiceUnavailable,
	TokenRefreshFailed:  http.StatusServiceUnavailable,
	UpstreamUnreachable: http.StatusBadGateway,
	UpstreamTimeout:     http.StatusGatewayTimeout,
	UnknownHost:         http.StatusMisdirectedRequest,
	OriginForbidden:     http.StatusForbidden,
	UserForbidden:       http.StatusForbidden,
	NotAllowed:          http.StatusForbidden,
	ClientKeyRequired:   http.StatusProxyAuthRequired,
	BadRequest:          http.StatusBadRequest,
	HeadTooLarge:        http.StatusRequestHeaderFieldsTooLarge,
	Busy:                http.StatusServiceUnavailable,
}

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
func (c Code) Status() int { return cmp.Or(statuses[c], http.StatusInternalServerError) }

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
