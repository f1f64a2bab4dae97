package sandbox

import (
	"fmt"
	"net/http"
	"strconv"

	"avsproxy/internal/sandbox/faults"
)

const (
	portalPage = "<!DOCTYPE html>\n<title>Welcome (avsproxy sandbox)</title>\n<h1>Sign in to use this network</h1>\n"
	errorPage  = "<!DOCTYPE html>\n<title>%[1]d %[2]s (avsproxy sandbox)</title>\n<h1>%[1]d %[2]s</h1>\n"
)

// faultResponse returns the answer that a fault sends instead of the real one, if
// there is such a fault.
func (l *login) faultResponse(struck faults.List, request *tokenRequest, w http.ResponseWriter) (answer response, replaced bool) {
	for _, f := range struck {
		switch f.Name {
		case "token-cut", "token-lost", "token-slow": // they change how the real answer is sent
		case "token-html":
			return pageResponse(http.StatusOK, portalPage), true
		case "token-empty":
			return response{status: http.StatusOK, contentType: jsonType}, true
		case "token-500", "token-503":
			status, _ := strconv.Atoi(f.Name[len("token-"):])
			return pageResponse(status, fmt.Sprintf(errorPage, status, http.StatusText(status))), true
		case "token-429":
			answer := errThrottled.response(w)
			answer.retryAfter = f.Value
			return answer, true
		default:
			l.codes.redeem(request.get("code")) // a failed exchange invalidates the code
			return errorOfFault(f.Name, request).response(w), true
		}
	}
	return response{}, false
}

// sendToken writes the answer, or the part of it that the faults allow.
func sendToken(w http.ResponseWriter, r *http.Request, answer response, struck faults.List) {
	if _, lost := struck.Find("token-lost"); lost {
		cutConnection(r.Context())
	}
	if _, cut := struck.Find("token-cut"); cut {
		answer.writeHead(w)
		w.Write(answer.body[:len(answer.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	answer.write(w)
}

// issue issues an access token and returns the answer with it. An empty refresh token
// is left out.
func (l *login) issue(under grant, refreshToken string) map[string]any {
	struck := l.faults.Strike(faults.TokenIssue)
	lifetime := l.tokenLife
	for _, f := range struck {
		switch {
		case f.Name != "expire-token":
		case f.Value == "":
			l.grants.expireTokens()
		default:
			lifetime = f.Duration()
		}
	}
	members := map[string]any{
		"access_token": l.grants.issue(under, lifetime),
		"token_type":   "bearer",
		"expires_in":   lifetimeSeconds(lifetime),
	}
	if _, omit := struck.Find("omit-refresh"); refreshToken != "" && !omit {
		members["refresh_token"] = refreshToken
	}
	if f, ok := struck.Find("expires-in"); ok {
		falsifyExpiresIn(members, f)
	}
	return members
}

func falsifyExpiresIn(members map[string]any, f faults.Fault) {
	switch f.Value {
	case "string":
		members["expires_in"] = fmt.Sprint(members["expires_in"])
	case "absent":
		delete(members, "expires_in")
	case "negative":
		members["expires_in"] = -3600
	case "huge":
		members["expires_in"] = int64(99_999_999_999) // more than a time.Duration can hold
	default:
		members["expires_in"] = f.Number()
	}
}
