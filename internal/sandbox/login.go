package sandbox

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
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
	tokenLife  time.Duration
	delay      time.Duration // of the token endpoint
	askConsent bool
	faults     *faults.Set
	grants     *grants
	codes      *codes
	pairs      *pairs
	forms      *formTokens
	pages      *template.Template
	calls      recent[TokenCall]
}

// newLogin requires checked options.
func newLogin(ctx context.Context, o Options) *login {
	set := cmp.Or(o.Faults, new(faults.Set))
	return &login{
		ctx:        ctx,
		tokenLife:  o.scaled(o.TokenLife, time.Hour),
		delay:      o.TokenDelay,
		askConsent: o.AskConsent,
		faults:     set,
		grants:     newGrants(set),
		codes:      &codes{lifetime: o.scaled(0, 5*time.Minute), open: map[string]consent{}},
		pairs:      &pairs{lifetime: o.scaled(0, 10*time.Minute), interval: o.scaled(0, 30*time.Second), open: map[string]*pair{}},
		forms:      newFormTokens(o.scaled(0, 10*time.Minute)),
		pages:      template.Must(template.ParseFS(pageFiles, "pages/*.html")),
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
