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
	Time     time.Time
	Grant    string // grant_type as sent
	ClientID string
	Status   int
	Error    string // the error code, empty for a success
	Fault    string // the faults that struck it, as a list; empty for none
}

// login is Login with Amazon.
type login struct {
	running context.Context
	lives   lifetimes
	delay   time.Duration
	ask     bool
	faults  *faults.Set
	grants  *grants
	codes   *codes
	pairs   *pairs
	forms   *formSealer
	pages   *template.Template
	calls   recent[TokenCall]
}

// newLogin expects options that were checked.
func newLogin(running context.Context, o Options) *login {
	set := cmp.Or(o.Faults, new(faults.Set))
	lives := o.lifetimes()
	return &login{
		running: running,
		lives:   lives,
		delay:   o.TokenDelay,
		ask:     o.AskConsent,
		faults:  set,
		grants:  newGrants(set),
		codes:   &codes{life: lives.code, open: map[string]consent{}},
		pairs:   &pairs{lives: lives, open: map[string]*pair{}},
		forms:   newFormSealer(lives.page),
		pages:   parsePages(),
	}
}

// ServeHTTP answers whatever the case of the path: AVS clients ask for
// /auth/O2/token, others for /auth/o2/token.
func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mark(w)
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
		nowhere(w, r)
	}
}

// nowhere answers a wrong path: a POST with 500, as LWA does.
func nowhere(w http.ResponseWriter, r *http.Request) {
	refused := serverError("The sandbox has no such page: tokens are at /auth/o2/token")
	if r.Method != http.MethodPost {
		refused = &refusal{http.StatusNotFound, "invalid_request", "The sandbox has no such page"}
	}
	refused.write(w)
}
