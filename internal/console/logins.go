package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/httpexchange"
	"avsproxy/tokens"
)

// Begun describes a login that waits for its person.
func (c *Console) Begun(credential Credential, login *tokens.Login) api.LoginBegun {
	begun := api.LoginBegun{ID: login.ID, Credential: login.Credential, ClientID: credential.Client.ID}
	if d := login.Device; d != nil {
		begun.Device = &api.DeviceCode{UserCode: d.UserCode, VerificationURL: d.VerificationURL, CompleteURL: d.CompleteURL, ExpiresAt: d.Expires}
		return begun
	}
	begun.AuthorizeURL, begun.RedirectURL, begun.Fingerprint = login.URL, credential.Client.RedirectURL, c.Fingerprint
	return begun
}

// awaitTimeout bounds one wait for the end of a login; the client asks again.
const awaitTimeout = 30 * time.Second

func (c *Console) beginLogin(r *http.Request) (any, error) {
	query := r.URL.Query()
	credential, ok := c.find(query.Get("credential"))
	if !ok || credential.Client == nil {
		return nil, refuse(http.StatusNotFound, "", "this credential does not exist or needs no login", "see 'avsproxy status'")
	}
	by := query.Get("by")
	login, err := c.Begin(r.Context(), credential, by == "device" || by == "" && credential.Device)
	if err != nil {
		return nil, err
	}
	return c.Begun(credential, login), nil
}

// reload takes over a login that a command made without the running proxy.
func (c *Console) reload(r *http.Request) (any, error) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "", "the running proxy has no such credential", "start it again with the present configuration")
	}
	return struct{}{}, credential.Source.Reload(r.Context())
}

func (c *Console) awaitLogin(r *http.Request) (any, error) {
	login := c.Logins.Find(r.PathValue("id"))
	if login == nil {
		return nil, &failure{http.StatusNotFound, api.Error{Action: tokens.ActionLogin, Message: "no such login is waiting", Hint: "start it again"}}
	}
	ctx, cancel := context.WithTimeout(r.Context(), awaitTimeout)
	defer cancel()
	_ = login.Wait(ctx) // it may end by the login or by our timeout: Done knows
	over, err := login.Done()
	answer := api.LoginEnded{Over: over, Lasting: over && login.HasRefreshToken()}
	if err != nil {
		answer.Problem = describe(err)
	}
	return answer, nil
}

// logout forgets the login of a credential; the command of that name hands it
// over, so that the running proxy stops using it at once.
func (c *Console) logout(r *http.Request) (any, error) {
	credential, ok := c.find(r.URL.Query().Get("credential"))
	if !ok {
		return nil, refuse(http.StatusNotFound, "", "no such credential", "see 'avsproxy status'")
	}
	err := credential.Source.Logout(r.Context())
	if errors.Is(err, tokens.ErrNoGrant) {
		return api.LogoutDone{}, nil
	}
	return api.LogoutDone{WasLoggedIn: err == nil}, err
}

// callback takes the answer of the provider. It answers with a redirect, so that
// the code leaves the address bar and the history.
func (p pages) callback(w http.ResponseWriter, r *http.Request) error {
	login, err := p.Logins.Callback(r.Context(), askedFor(r))
	if errors.Is(err, tokens.ErrUnknownState) {
		return p.notOurs(r)
	}
	http.Redirect(w, r, "/login/"+login.ID, http.StatusSeeOther)
	return nil
}

// askedFor is the URL that the browser asked for.
func askedFor(r *http.Request) *url.URL {
	asked, err := url.Parse(cmp.Or(r.Header.Get(api.PastedHeader), originOf(r)+r.URL.EscapedPath()))
	if err != nil {
		asked = &url.URL{}
	}
	asked.RawQuery = r.URL.RawQuery
	return asked
}

func (p pages) notOurs(r *http.Request) error {
	n := &notice{
		status: http.StatusBadRequest, Title: "Not a login of ours",
		Text: "This callback belongs to no login that is waiting. It was answered already, is older than ten minutes, or was started elsewhere. Nothing was changed, and a login that is waiting goes on.",
	}
	if home := p.consoleURL(r); home != "" {
		n.Next, n.NextText = home+"/login", "Log in"
	}
	return n
}

type outcomePage struct {
	Credential string
	Failure    *api.Error
	Unsaved    string // why the login will not outlive this process
	Lasting    bool
	Try        string
	Console    string
}

// outcome is the page after the callback. It may be reloaded.
func (p pages) outcome(w http.ResponseWriter, r *http.Request) error {
	login := p.Logins.Find(r.PathValue("id"))
	if login == nil {
		return &notice{http.StatusNotFound, "This login is over", "Its page is kept for ten minutes.", "/status", "See how things stand"}
	}
	over, err := login.Done()
	switch {
	case !over && login.Device != nil:
		w.Header().Set("Refresh", "3") // without a script, which the policy forbids
		p.show(w, http.StatusOK, "device.html", login)
		return nil
	case !over:
		return &notice{http.StatusOK, "The login is waiting", "Finish it in the window of the provider.", r.URL.Path, "Look again"}
	}
	page := outcomePage{Credential: login.Credential, Lasting: login.HasRefreshToken(), Try: p.Try, Console: p.consoleURL(r)}
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, tokens.ErrUnsaved): // it serves all the same
		page.Unsaved = err.Error()
	default:
		status = http.StatusBadGateway
		page.Failure = describe(err)
	}
	p.show(w, status, "outcome.html", page)
	login.MarkSeen()
	return nil
}

// consoleURL is the console's base URL, for links of the pages around a callback: it
// may have come in by another port, which is closed soon after. Empty = this
// process has no console.
func (p pages) consoleURL(r *http.Request) string {
	self, err := url.Parse(p.Self)
	if err != nil || self.Port() != httpexchange.Conn(r).Listener.Port {
		return p.Self
	}
	return originOf(r)
}
