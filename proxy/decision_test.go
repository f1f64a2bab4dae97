package proxy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/exchange"
)

func TestDecisionHeaderTellsWhatWasDone(t *testing.T) {
	origin, roots := upstreamTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(DecisionHeader, "forged")
	}))
	on := Observer{DecisionHeader: true}
	for what, c := range map[string]struct {
		line *line
		want string
	}{
		"injected": {build(t, origin, roots, plan{source: static(), observe: on}), `route=avs, token=injected, credential=static, upstream="` + origin + `", proto="HTTP/2.0", tries=1`},
		"login":    {build(t, origin, roots, plan{source: loggedOut(), observe: on}), `route=avs, token=login_required, credential=alexa`},
		"off":      {build(t, origin, roots, plan{source: static()}), ""},
	} {
		over(t, func(t *testing.T, client *http.Client) {
			resp := do(t, client, request(t, "GET", c.line.url, nil))
			if got := strings.Join(resp.Header.Values(DecisionHeader), "; "); got != c.want {
				t.Errorf("%s: got %q\nwant %q", what, got, c.want)
			}
		})
	}
}

func TestDecisionIsAStructuredField(t *testing.T) {
	e := exchange.Facts{
		Route: "9lives", Credential: `my "own\` + "\n", Decision: exchange.Injected, TokenAge: 90 * time.Second, TokenLeft: 3540*time.Second + 1,
		Replayed: true, Tries: 2,
	}
	const want = `route="9lives", token=injected, credential="my \"own\\?", age=90, left=3540, tries=2, replayed`
	if got := decisionOf(e); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
