package console

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func newRecorderFor(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestTheInspectorHasScriptsOfItsOwnAlone(t *testing.T) {
	d := inspecting(t)
	page := d.ask("GET", "/")
	want(t, page, 200, "/status")
	wantSecure(t, page)
	policy := page.Header.Get("Content-Security-Policy")
	for _, part := range []string{"script-src 'self';", "connect-src 'self';", "media-src 'self' blob:;", "form-action 'self';", "require-trusted-types-for 'script';"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s: %s", part, policy)
		}
	}
	for _, bad := range []string{"style=", "<style", "onclick", "javascript:", "https://"} {
		if strings.Contains(page.text, bad) {
			t.Errorf("the page holds %q, which the policy forbids", bad)
		}
	}
	want(t, d.ask("GET", "/status"), 200, `href="/"`)
	for _, path := range []string{"/status", "/login", "/api/exchanges", "/livez"} {
		if policy := d.ask("GET", path).Header.Get("Content-Security-Policy"); strings.Contains(policy, "script-src") {
			t.Errorf("%s may have scripts: %s", path, policy)
		}
	}
}

func TestEmbeddedFilesHaveTheirTypes(t *testing.T) {
	d := inspecting(t)
	paths := map[string]string{"pages/inspector.html": "text/html; charset=utf-8", "pages/inspector.css": "text/css; charset=utf-8"}
	scripts, _ := fs.Glob(pageFiles, "pages/js/*.js")
	for _, script := range scripts {
		paths[script] = "text/javascript; charset=utf-8"
	}
	for file, kind := range paths {
		text, err := pageFiles.ReadFile(file)
		if err != nil {
			continue
		}
		path := strings.TrimPrefix(file, "pages")
		if path == "/inspector.html" {
			path = "/"
		}
		a := d.ask("GET", path)
		want(t, a, 200)
		wantSecure(t, a)
		if a.Header.Get("Content-Type") != kind || a.text != string(text) {
			t.Errorf("%s is %s", path, a.Header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/js/", "/js/none.js", "/js/..%2fhome.html", "/js/..%2f..%2fkey.js", "/js/main.css", "/js/.js", "/inspector.html", "/pages/home.html", "/js"} {
		want(t, d.ask("GET", path), 404)
	}
}
