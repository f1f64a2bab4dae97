package sandbox

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// A TokenCall is one call of the token endpoint. It holds no secret.
type TokenCall struct {
	Time     time.Time `json:"time"`
	Grant    string    `json:"grant_type"` // as sent
	ClientID string    `json:"client_id"`
	Status   int       `json:"status"`
	Error    string    `json:"error,omitempty"` // the error code, empty for a success
	Fault    string    `json:"fault,omitempty"` // the faults that struck it, as a list; empty for none
}

// login is Login with Amazon.
type login struct {
	ctx        context.Context // its end ends all delays
	faults     *faults.Set
	grants     *grants
	forms      *formTokens
	pages      *template.Template
	calls      recent[TokenCall]
	askConsent bool

	delay                         time.Duration // of the token endpoint
	tokenLife, codeLife, pairLife time.Duration
	pollInterval                  time.Duration
}

// newLogin requires checked options.
func newLogin(ctx context.Context, o Options) *login {
	set := cmp.Or(o.Faults, new(faults.Set))
	return &login{
		ctx:        ctx,
		faults:     set,
		grants:     newGrants(set),
		forms:      newFormTokens(o.scaled(0, 10*time.Minute)),
		pages:      template.Must(template.ParseFS(pageFiles, "pages/*.html")),
		askConsent: o.AskConsent,

		delay:        o.TokenDelay,
		tokenLife:    o.scaled(o.TokenLife, time.Hour),
		codeLife:     o.scaled(0, 5*time.Minute),
		pairLife:     o.scaled(0, 10*time.Minute),
		pollInterval: o.scaled(0, 30*time.Second),
	}
}

// ServeHTTP ignores the case of the path: AVS clients use /auth/O2/token, others
// /auth/o2/token.
func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addSandboxHeader(w)
	endpoint := unknownPath
	switch strings.ToLower(r.URL.Path) {
	case "/ap/oa":
		l.authorize(w, r)
		return
	case verificationPath:
		l.verify(w, r)
		return
	case "/auth/o2/token":
		l.token(w, r)
		return
	case "/auth/o2/create/codepair":
		endpoint = l.createPair
	case "/auth/o2/tokeninfo":
		endpoint = l.tokenInfo
	case "/user/profile":
		endpoint = l.profile
	case "/auth/o2/revoke":
		endpoint = l.revoke
	}
	members, refusal := endpoint(w, r)
	loginResponse(w, members, refusal).write(w)
}

// unknownPath answers a wrong path: a POST with 500, as LWA does.
func unknownPath(_ http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	if r.Method == http.MethodPost {
		return nil, serverError("The sandbox has no such page: tokens are at /auth/o2/token")
	}
	return nil, &oauthError{http.StatusNotFound, "invalid_request", "The sandbox has no such page"}
}

const userID = "amzn1.account.SANDBOX"

func (l *login) tokenInfo(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	found, refusal := l.checkAccessToken(w, r, r.URL.Query().Get("access_token"))
	if refusal != nil {
		return nil, refusal
	}
	return map[string]any{
		"aud":     ClientID,
		"app_id":  "amzn1.application.sandbox",
		"user_id": userID,
		"iss":     "https://www.amazon.com",
		"exp":     int(time.Until(found.expires) / time.Second),
		"iat":     found.issued.Unix(),
	}, nil
}

// profile describes the user as far as the token's scope allows. It finds the token in
// the three places where a client may put it.
func (l *login) profile(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	token := cmp.Or(r.URL.Query().Get("access_token"), r.Header.Get("x-amz-access-token"), bearer(r.Header))
	found, refusal := l.checkAccessToken(w, r, token)
	if refusal != nil {
		return nil, refusal
	}
	scopes := strings.Fields(found.scope)
	members := map[string]any{}
	if slices.Contains(scopes, "profile") {
		members["name"], members["email"] = "Sandbox User", "user@sandbox.invalid"
	}
	if slices.Contains(scopes, "postal_code") {
		members["postal_code"] = "98109"
	}
	if len(members) == 0 && !slices.Contains(scopes, "profile:user_id") {
		return nil, &oauthError{http.StatusUnauthorized, "insufficient_scope", "The access token provided does not have access to the required scope"}
	}
	members["user_id"] = userID
	return members, nil
}

func (l *login) checkAccessToken(w http.ResponseWriter, r *http.Request, token string) (accessToken, *oauthError) {
	switch {
	case r.Method != http.MethodGet:
		return accessToken{}, wrongMethod(w, http.MethodGet, "This page takes GET only")
	case token == "":
		return accessToken{}, missing("access_token")
	}
	found, ok := l.grants.lookup(token)
	if !ok {
		return accessToken{}, badRequest("invalid_token", "The request has an invalid parameter : access_token")
	}
	return found, nil
}

// revoke revokes a token (RFC 7009); an unknown token is not an error. Amazon
// documents no such endpoint, but many clients expect it here.
func (l *login) revoke(w http.ResponseWriter, r *http.Request) (map[string]any, *oauthError) {
	request, refusal := readTokenRequest(w, r)
	if refusal != nil {
		return nil, refusal
	}
	if _, refusal = request.authenticate("token"); refusal != nil {
		return nil, refusal
	}
	l.grants.mu.Lock()
	defer l.grants.mu.Unlock()
	l.grants.revoke(request.Get("token"))
	return map[string]any{}, nil
}
