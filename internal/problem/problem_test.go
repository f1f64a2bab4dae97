package problem

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestCodesHaveTheirStatus(t *testing.T) {
	for code, want := range map[Code]int{
		"login_required": 503, "token_refresh_failed": 503, "upstream_unreachable": 502, "upstream_timeout": 504, "unknown_host": 421,
		"origin_forbidden": 403, "user_forbidden": 403, "not_allowed": 403, "client_key_required": 407, "other": 500,
	} {
		if got := code.Status(); got != want {
			t.Errorf("%s: %d", code, got)
		}
	}
}

func TestProblemIsWrittenAsRFC9457Says(t *testing.T) {
	w := httptest.NewRecorder()
	Problem{
		Code: LoginRequired, Title: "a", Detail: "b \"<\r\n\x00 \xff", Hint: "c",
		LoginURL: "https://localhost:9745/login", RetryAfter: 1200 * time.Millisecond,
	}.Write(w)
	for name, want := range map[string]string{
		"Content-Type": "application/problem+json", "Cache-Control": "no-store", "Avsproxy-Error": "login_required", "Retry-After": "2",
		"X-Content-Type-Options": "nosniff", "Proxy-Authenticate": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	var members map[string]any
	testkit.NoError(t, json.Unmarshal(w.Body.Bytes(), &members))
	for _, name := range []string{"type", "title", "status", "detail", "code", "hint", "login_url"} {
		if members[name] == nil {
			t.Errorf("%s is missing: %s", name, w.Body)
		}
	}
	if !strings.HasPrefix(w.Body.String(), "{\n  \"type\"") || !strings.HasSuffix(w.Body.String(), "}\n") {
		t.Errorf("not indented: %s", w.Body)
	}
}

func TestEmptyMembersAreLeftOut(t *testing.T) {
	w := httptest.NewRecorder()
	Problem{Code: ClientKeyRequired, Title: "a", Detail: "b", Hint: "c"}.Write(w)
	if strings.Contains(w.Body.String(), "login_url") || w.Header()["Retry-After"] != nil {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if w.Header().Get("Proxy-Authenticate") == "" {
		t.Error("RFC 9110 section 15.5.8 asks for Proxy-Authenticate")
	}
}
