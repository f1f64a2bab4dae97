package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/avs"
)

const capable = `{"envelopeVersion":"20160207","capabilities":[{"type":"AlexaInterface","interface":"SpeechRecognizer","version":"2.0"}]}`

func TestCapabilitiesAreChecked(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	for _, c := range []struct {
		name, token, body string
		status            int
		want              string
	}{
		{"good", token, capable, 204, ""},
		{"stranger", "Atza|stranger", capable, 403, "UNAUTHORIZED_REQUEST_EXCEPTION"},
		{"no JSON", token, "capabilities", 400, "INVALID_REQUEST_EXCEPTION"},
		{"empty", token, "", 400, "INVALID_REQUEST_EXCEPTION"},
		{"old", token, strings.Replace(capable, "2016", "2015", 1), 400, "envelopeVersion"},
		{"nothing", token, `{"envelopeVersion":"20160207","capabilities":[]}`, 400, "empty"},
		{"no version", token, strings.Replace(capable, `,"version":"2.0"`, "", 1), 400, "no version"},
		{"too long", token, capable + strings.Repeat(" ", maxCapabilities), 400, "longer"},
	} {
		for _, host := range []string{"", CapabilitiesHost, CapabilitiesHost + ":443"} {
			request := ask(t, s, c.token, "PUT", "/v1/devices/@self/capabilities", strings.NewReader(c.body))
			request.Host = host
			answer := send(t, client(t, s), request)
			if answer.StatusCode != c.status || !strings.Contains(string(answer.body), c.want) || answer.Header.Get("x-amzn-requestid") == "" {
				t.Errorf("%s at %q: %s %s", c.name, host, answer.Status, answer.body)
			}
		}
	}
}

// The certificate holds the name, so that nothing but an address must be changed.
func TestCurlPutsCapabilitiesAtTheirOwnHost(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "--http2", "--connect-to", CapabilitiesHost+":443:"+strings.TrimPrefix(s.AVS(), "https://"),
		"-X", "PUT", "-H", "Authorization: Bearer "+token, "-H", "Content-Type: application/json", "-d", capable,
		"https://"+CapabilitiesHost+"/v1/devices/@self/capabilities")
	if !strings.HasPrefix(out, "HTTP/2 204") || s.Ledger()[0].Authority != CapabilitiesHost {
		t.Error(out)
	}
}

func TestCapabilitiesHostServesNothingElse(t *testing.T) {
	s := start(t, Options{})
	request := ask(t, s, loggedIn(t, s).AccessToken, "GET", "/ping", nil)
	request.Host = CapabilitiesHost
	if answer := send(t, client(t, s), request); answer.StatusCode != http.StatusNotFound {
		t.Error(answer.Status)
	}
}

// What sends a device elsewhere, and what tells it of its mistakes.
func TestDirectSendsAnyDirective(t *testing.T) {
	s := start(t, Options{})
	frames := watch(t, s, loggedIn(t, s).AccessToken)
	nextData(t, frames) // the boundary line
	nextData(t, frames) // ResetUserInactivity
	for _, c := range []struct {
		namespace, name string
		payload         any
		want            string
	}{
		{"Alexa.ApiGateway", "SetGateway", map[string]string{"gateway": "https://alexa.eu.gateway.devices.a2z.com"}, `"gateway":"https://alexa.eu.gateway.devices.a2z.com"`},
		{"System", "SetEndpoint", map[string]string{"endpoint": "https://avs-alexa-eu.amazon.com"}, `"endpoint":"https://avs-alexa-eu.amazon.com"`},
		{"System", "Exception", map[string]any{"code": avs.CodeInternal, "description": nil}, `"code":"INTERNAL_SERVICE_EXCEPTION","description":null`},
		{"System", "Exception", json.RawMessage(`{"code":"X"}`), `"code":"X"`},
	} {
		if n := s.Direct(c.namespace, c.name, c.payload); n != 1 {
			t.Fatalf("%d downchannels took it", n)
		}
		frame := nextData(t, frames)
		if !strings.Contains(frame, `"namespace":"`+c.namespace+`"`) || !strings.Contains(frame, `"name":"`+c.name+`"`) || !strings.Contains(frame, c.want) {
			t.Errorf("%q", frame)
		}
	}
}

// Also where no handler is reached.
func TestEveryAnswerHasARequestID(t *testing.T) {
	s := start(t, Options{})
	r := dial(t, s)
	r.get(1, "/%zz", "none")
	r.wantMarked(1, "400")
	r.get(3, "/ping", strings.Repeat("x", 50_000))
	r.wantMarked(3, "431")
	r.get(5, "/ping", "none")
	r.wantMarked(5, "403")
}
