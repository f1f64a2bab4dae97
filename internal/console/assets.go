package console

import (
	"net/http"
	"strings"
)

// inspectorPolicy is for the one page that has scripts, our own from our own
// origin. What it shows was sent by others: nothing that is written into the page
// can run, load or send anything, and nothing can be written as HTML (Trusted Types).
const inspectorPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

func (p pages) inspector(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", inspectorPolicy)
	p.asset(w, r, "inspector.html", "text/html; charset=utf-8")
}

func (p pages) inspectorStyle(w http.ResponseWriter, r *http.Request) {
	p.asset(w, r, "inspector.css", "text/css; charset=utf-8")
}

// script serves the inspector's scripts.
func (p pages) script(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if !strings.HasSuffix(file, ".js") || strings.Contains(file, "/") {
		p.notFound(w, r)
		return
	}
	p.asset(w, r, "js/"+file, "text/javascript; charset=utf-8")
}

// asset names the type itself: what the system's tables say of ".js" differs.
func (p pages) asset(w http.ResponseWriter, r *http.Request, name, contentType string) {
	text, err := pageFiles.ReadFile("pages/" + name)
	if err != nil {
		p.notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Write(text) // a reader that is gone is no error of ours
}
