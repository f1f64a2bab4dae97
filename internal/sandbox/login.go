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
	lifetimes  lifetimes
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
	lifetimes := o.lifetimes()
	return &login{
		ctx:        ctx,
		lifetimes:  lifetimes,
		delay:      o.TokenDelay,
		askConsent: o.AskConsent,
		faults:     set,
		grants:     newGrants(set),
		codes:      &codes{lifetime: lifetimes.code, open: map[string]consent{}},
		pairs:      &pairs{lifetime: lifetimes.pair, interval: lifetimes.interval, open: map[string]*pair{}},
		forms:      newFormTokens(lifetimes.page),
		pages:      template.Must(template.ParseFS(pageFiles, "pages/*.html")),
	}
}

// ServeHTTP ignores the case of the path: AVS clients use /auth/O2/token, others
// /auth/o2/token.
func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addSandboxHeader(w)
	switch strings.ToLower(r.URL.Path) {
	case "/ap/oa":
		l.authorize(w, r)
	case "/auth/o2/token":
		l.token(w, r)
	case "/auth/o2/create/codepair":
		l.createPair(w, r)
	case verificationPath:
		l.verify(w, r)
	case "/auth/o2/tokeninfo":
		l.tokenInfo(w, r)
	case "/user/profile":
		l.profile(w, r)
	case "/auth/o2/revoke":
		l.revoke(w, r)
	default:
		unknownPage(w, r)
	}
}

// unknownPage answers a wrong path: a POST with 500, as LWA does.
func unknownPage(w http.ResponseWriter, r *http.Request) {
	refusal := serverError("The sandbox has no such page: tokens are at /auth/o2/token")
	if r.Method != http.MethodPost {
		refusal = &oauthError{http.StatusNotFound, "invalid_request", "The sandbox has no such page"}
	}
	refusal.write(w)
}
