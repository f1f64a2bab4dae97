package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"avsproxy/internal/api"
	"avsproxy/internal/httpexchange"
	"avsproxy/tokens"
)

// callback takes the answer of the provider. It answers with a redirect, so that
// the code leaves the address bar and the history.
func (p pages) callback(w http.ResponseWriter, r *http.Request) {
	login, err := p.Logins.Callback(r.Context(), askedFor(r))
	if errors.Is(err, tokens.ErrUnknownState) {
		p.notOurs(w, r)
		return
	}
	http.Redirect(w, r, "/login/"+login.ID, http.StatusSeeOther)
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

func (p pages) notOurs(w http.ResponseWriter, r *http.Request) {
	page := message{
		Title: "Not a login of ours",
		Text:  "This callback belongs to no login that is waiting. It was answered already, is older than ten minutes, or was started elsewhere. Nothing was changed, and a login that is waiting goes on.",
	}
	if home := p.consoleURL(r); home != "" {
		page.Next, page.NextText = home+"/login", "Log in"
	}
	p.show(w, http.StatusBadRequest, "message.html", page)
}

type outcomePage struct {
	Credential string
	Failure    *tokens.Error
	Text       string // of a failure that is no [tokens.Error]
	Unsaved    string // why the login will not outlive this process
	Lasting    bool
	Try        string
	Console    string
}

// outcome is the page after the callback. It may be reloaded.
func (p pages) outcome(w http.ResponseWriter, r *http.Request) {
	login := p.Logins.Find(r.PathValue("id"))
	if login == nil {
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "This login is over", Text: "Its page is kept for ten minutes.", Next: "/status", NextText: "See how things stand",
		})
		return
	}
	over, err := login.Done()
	switch {
	case !over && login.Device != nil:
		w.Header().Set("Refresh", "3") // without a script, which the policy forbids
		p.show(w, http.StatusOK, "device.html", devicePage{login.Credential, *login.Device, deviceLink(login.Device)})
		return
	case !over:
		p.show(w, http.StatusOK, "message.html", message{
			Title: "The login is waiting", Text: "Finish it in the window of the provider.", Next: r.URL.Path, NextText: "Look again",
		})
		return
	}
	page := outcomePage{Credential: login.Credential, Lasting: login.HasRefreshToken(), Try: p.Try, Console: p.consoleURL(r)}
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, tokens.ErrUnsaved): // it serves all the same
		page.Unsaved = err.Error()
	default:
		status = http.StatusBadGateway
		page.Text = err.Error()
		errors.As(err, &page.Failure)
	}
	p.show(w, status, "outcome.html", page)
	login.MarkSeen()
}

// A devicePage shows the code of a device login that waits.
type devicePage struct {
	Credential string
	Device     tokens.DeviceCode
	Link       string
}

// deviceLink prefers the address that has the code in it.
func deviceLink(d *tokens.DeviceCode) string { return cmp.Or(d.CompleteURL, d.VerificationURL) }

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
