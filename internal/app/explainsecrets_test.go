package app

import (
	"encoding/json"
	"strings"
	"testing"

	"avsproxy/internal/explain"
	"avsproxy/internal/testkit"
)

// An explanation names the headers that are added, and says nothing of what is
// confidential: in them, in the parameters of the login, or before the @ of the URL.
func TestExplainTellsNothingConfidential(t *testing.T) {
	text := strings.NewReplacer(
		`headers = { "X-One" = "1" }`, `headers = { "X-Api-Key" = "c4n4ry-header" }`,
		`client_id = "one"`, "client_id = \"one\"\nclient_secret = \"c4n4ry-secret\"\nauth_params = { \"password\" = \"c4n4ry-auth\" }\ntoken_params = { \"assertion\" = \"c4n4ry-token\" }",
	).Replace(explained)
	e := explainerOf(t, text)
	for request, words := range map[string]string{
		"https://me:c4n4ry-password@plain.example/x?a=b#c": "X-Api-Key",
		"http://c4n4ry-name@device.localhost:9744/":        "login missing",
		"https://me:c4n4ry-password@evil.example/":         "no route belongs",
	} {
		x := testkit.Must(e.Explain("GET", request))(t)
		told, _ := json.Marshal(x)
		var printed strings.Builder
		testkit.NoError(t, explain.Print(&printed, x))
		for _, said := range []string{string(told), printed.String()} {
			if testkit.HasCanary(said) || !strings.Contains(said, words) {
				t.Errorf("%s: %s", request, said)
			}
		}
	}
	if x, err := e.Explain("GET", "https://plain.example:443/x?a=%20b#c"); err != nil || x.URL != "https://plain.example:443/x?a=%20b#c" {
		t.Errorf("%+v, %v", x, err)
	}
}
