package console

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"avsproxy/tokens"
)

// pages are the handlers that answer people.
type pages struct {
	*Console
	templates *template.Template
}

func (p pages) show(w http.ResponseWriter, status int, page string, data any) {
	var text bytes.Buffer
	if err := p.templates.ExecuteTemplate(&text, page, data); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(text.Bytes()) // a reader that is gone is no error of ours
}

func (p pages) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pageFiles, "pages/style.css")
}

type homePage struct {
	Version     string
	Sandbox     bool
	Routes      []Route
	Credentials []credentialStatus
	Proxy       string
}

func (p pages) home(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, "home.html", homePage{
		Version: p.Version, Sandbox: p.Sandbox, Routes: p.Routes,
		Credentials: p.credentials(), Proxy: p.proxyURL(),
	})
}

func (p pages) proxyURL() string {
	if len(p.Proxy) == 0 {
		return ""
	}
	return p.Proxy[0]
}

type loginPage struct {
	Credential  credentialStatus
	Others      []credentialStatus
	Interactive bool
	RedirectURL string
	Provider    string // the host of the page to log in at
	Fingerprint string
	Amazon      bool
}

func (p pages) login(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("credential")
	credential, ok := p.find(name)
	if !ok {
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "No such credential", Text: "The configuration has no credential of that name.", Next: "/", NextText: "See what there is",
		})
		return
	}
	page := loginPage{Credential: describe(credential), Fingerprint: p.Fingerprint}
	for _, other := range p.Credentials {
		if other.Source != credential.Source && other.Client != nil {
			page.Others = append(page.Others, describe(other))
		}
	}
	if client := credential.Client; client != nil {
		page.Interactive = true
		page.RedirectURL = client.RedirectURL
		if authorize, err := url.Parse(client.AuthURL); err == nil {
			page.Provider = authorize.Host
			page.Amazon = authorize.Path == "/ap/oa"
		}
	}
	p.show(w, http.StatusOK, "login.html", page)
}

// begin starts a login. It is a POST, so that no link or image can.
func (p pages) begin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	credential, ok := p.find(r.PostFormValue("credential"))
	if !ok || credential.Client == nil {
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "Nothing to log in to", Text: "This credential does not exist or needs no login.", Next: "/login", NextText: "Back",
		})
		return
	}
	login, err := p.Begin(credential)
	if err != nil {
		p.show(w, http.StatusInternalServerError, "message.html", message{
			Title: "The login could not be started", Text: err.Error(), Next: "/login", NextText: "Back",
		})
		return
	}
	http.Redirect(w, r, login.URL, http.StatusSeeOther)
}

// callback takes the answer of the provider. It answers with a redirect, so that
// the code leaves the address bar and the history.
func (p pages) callback(w http.ResponseWriter, r *http.Request) {
	login, err := p.Logins.Callback(r.Context(), r.URL.Query())
	if errors.Is(err, tokens.ErrUnknownState) {
		p.show(w, http.StatusBadRequest, "message.html", message{
			Title:    "Not a login of ours",
			Text:     "This callback belongs to no login that is waiting. It was answered already, is older than ten minutes, or was started elsewhere. Nothing was changed, and a login that is waiting goes on.",
			Next:     "/login",
			NextText: "Log in",
		})
		return
	}
	http.Redirect(w, r, "/login/"+login.ID, http.StatusSeeOther)
}

type outcomePage struct {
	Credential string
	Failure    *tokens.Error
	Text       string // of a failure that is no [tokens.Error]
	Lasting    bool
	Proxy      string
	Amazon     bool
}

// outcome is the page after the callback. It may be reloaded.
func (p pages) outcome(w http.ResponseWriter, r *http.Request) {
	login := p.Logins.Find(r.PathValue("id"))
	if login == nil {
		p.show(w, http.StatusNotFound, "message.html", message{
			Title: "This login is over", Text: "Its page is kept for ten minutes.", Next: "/", NextText: "See how things stand",
		})
		return
	}
	over, err := login.Done()
	if !over {
		p.show(w, http.StatusOK, "message.html", message{
			Title: "The login is waiting", Text: "Finish it in the window of the provider.", Next: r.URL.Path, NextText: "Look again",
		})
		return
	}
	page := outcomePage{Credential: login.Credential, Lasting: login.Lasting(), Proxy: p.proxyURL()}
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadGateway
		page.Text = err.Error()
		errors.As(err, &page.Failure)
	}
	p.show(w, status, "outcome.html", page)
	login.Shown()
}

// A message is a page that says one thing.
type message struct {
	Title, Text, Next, NextText string
}
