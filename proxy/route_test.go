package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"avsproxy/internal/gate"
	"avsproxy/internal/problem"
)

func table(t testing.TB) *gate.Table {
	t.Helper()
	table := &gate.Table{}
	for _, route := range [][]string{
		{"avs", "alexa.example.com"},
		{"ads", "ads.example.com", "only.example.com:8443", "alexa.example.com:8443"},
	} {
		if err := table.Add(route[0], route[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func TestRouteAnswersForItselfWithoutAGuard(t *testing.T) {
	w := httptest.NewRecorder()
	handler := Route(table(t), []http.Handler{nil, nil})
	handler.ServeHTTP(w, httptest.NewRequest("GET", "http://evil.example.com/", nil))
	p := problemOf(t, answer{w.Result(), w.Body.Bytes()}, problem.UnknownHost)
	if !strings.Contains(p.Hint, "ads.localhost") {
		t.Errorf("%s", p.Hint)
	}
}
