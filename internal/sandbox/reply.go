package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"avsproxy/internal/sandbox/faults"
)

const (
	portalPage = "<!DOCTYPE html>\n<title>Welcome (avsproxy sandbox)</title>\n<h1>Sign in to use this network</h1>\n"
	brokenPage = "<!DOCTYPE html>\n<title>%[1]d %[2]s (avsproxy sandbox)</title>\n<h1>%[1]d %[2]s</h1>\n"
)

// A tokenReply is an answer of the token endpoint, good or bad.
type tokenReply struct {
	status      int
	code        string // the error's
	contentType string
	retryAfter  string
	body        []byte
}

func jsonReply(status int, members map[string]any) tokenReply {
	body, err := json.Marshal(members)
	if err != nil {
		panic(err) // it holds strings and numbers only
	}
	return tokenReply{status: status, contentType: jsonType, body: append(body, '\n')}
}

func refusalReply(refused *refusal, w http.ResponseWriter) tokenReply {
	reply := jsonReply(refused.status, refused.members(w))
	reply.code = refused.code
	return reply
}

func pageReply(status int, page string) tokenReply {
	return tokenReply{status: status, contentType: "text/html;charset=UTF-8", body: []byte(page)}
}

// standIn is the answer that a fault puts in the place of the real one.
func (l *login) standIn(struck faults.List, request *tokenRequest, w http.ResponseWriter) (reply tokenReply, stands bool) {
	for _, f := range struck {
		switch f.Name {
		case "token-cut", "token-lost", "token-slow": // it strikes the real answer
		case "token-html":
			return pageReply(http.StatusOK, portalPage), true
		case "token-empty":
			return tokenReply{status: http.StatusOK, contentType: jsonType}, true
		case "token-500", "token-503":
			status, _ := strconv.Atoi(f.Name[len("token-"):])
			return pageReply(status, fmt.Sprintf(brokenPage, status, http.StatusText(status))), true
		case "token-429":
			reply := refusalReply(throttled(), w)
			reply.retryAfter = f.Value
			return reply, true
		default:
			l.codes.spend(request.get("code")) // a failed exchange burns it
			return refusalReply(refusalNamed(f.Name, request), w), true
		}
	}
	return tokenReply{}, false
}

// send writes the answer, or as much of it as the faults leave.
func (p tokenReply) send(w http.ResponseWriter, r *http.Request, struck faults.List) {
	if _, lost := struck.Find("token-lost"); lost {
		hangUp(r)
	}
	header := w.Header()
	header.Set("Content-Type", p.contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Length", strconv.Itoa(len(p.body)))
	if p.retryAfter != "" {
		header.Set("Retry-After", p.retryAfter)
	}
	w.WriteHeader(p.status)
	if _, cut := struck.Find("token-cut"); cut {
		w.Write(p.body[:len(p.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(p.body)
}

// answer gives out an access token and says so. An empty refresh token is left
// out.
func (l *login) answer(under grant, refreshToken string) map[string]any {
	struck := l.faults.Strike(faults.TokenIssue)
	given := l.lives.token
	for _, f := range struck {
		switch {
		case f.Name != "expire-token":
		case f.Value == "":
			l.grants.expireTokens()
		default:
			given = f.Duration()
		}
	}
	members := map[string]any{
		"access_token": l.grants.issue(under, given),
		"token_type":   "bearer",
		"expires_in":   life(given),
	}
	if _, omit := struck.Find("omit-refresh"); refreshToken != "" && !omit {
		members["refresh_token"] = refreshToken
	}
	if f, ok := struck.Find("expires-in"); ok {
		misstate(members, f)
	}
	return members
}

// misstate says something odd about the life of an access token.
func misstate(members map[string]any, f faults.Fault) {
	switch f.Value {
	case "string":
		members["expires_in"] = fmt.Sprint(members["expires_in"])
	case "absent":
		delete(members, "expires_in")
	case "negative":
		members["expires_in"] = -3600
	case "huge":
		members["expires_in"] = int64(99_999_999_999) // more than a time.Duration holds
	default:
		members["expires_in"] = f.Number()
	}
}

type netConnKey struct{}

// rememberConn lets the handlers of a server find the connection they are on.
func rememberConn(server *http.Server) {
	before := server.ConnContext
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(before(ctx, c), netConnKey{}, c)
	}
}

// hangUp cuts the connection of a request, with all that is on it. Where that is
// not known, it cuts the request alone.
func hangUp(r *http.Request) {
	if c, ok := r.Context().Value(netConnKey{}).(net.Conn); ok {
		c.Close()
	}
	panic(http.ErrAbortHandler)
}
