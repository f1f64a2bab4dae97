package sandbox

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"
)

// tokensOf reads what a curl command got.
func tokensOf(t *testing.T, out string) tokenAnswer {
	t.Helper()
	var answer tokenAnswer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Error != "" {
		t.Fatalf("%q, %v", out, err)
	}
	return answer
}

// The commands that readers of posts and tutorials run. The first two leave the
// redirect URI and the bar of the token as they are.
func TestCurlExchangesAndRefreshesAsInTheBlog(t *testing.T) {
	s := start(t, Options{})
	code := consentTo(t, s, authorizeQuery()).Get("code")
	client := "&client_id=" + ClientID + "&client_secret=" + ClientSecret + "&redirect_uri=" + redirectURI
	first := tokensOf(t, curl(t, s, "-X", "POST", "--data", "grant_type=authorization_code&code="+code+client, s.LWA()+"/auth/o2/token"))
	if !strings.Contains(first.RefreshToken, "|") {
		t.Fatalf("%.20s", first.RefreshToken)
	}
	second := tokensOf(t, curl(t, s, "-X", "POST", "--data", "grant_type=refresh_token&refresh_token="+first.RefreshToken+client, s.LWA()+"/auth/o2/token"))
	if second.AccessToken == "" || second.AccessToken == first.AccessToken {
		t.Error("no new access token")
	}
}

func TestCurlLinksByCode(t *testing.T) {
	s := start(t, Options{})
	form := "Content-Type: application/x-www-form-urlencoded"
	out := curl(t, s, "-k", "-d", "response_type=device_code&client_id="+ClientID+"&scope=alexa%3Aall&scope_data="+url.QueryEscape(scopeData),
		"-H", form, "-X", "POST", s.LWA()+"/auth/O2/create/codepair")
	var pair pairAnswer
	if err := json.Unmarshal([]byte(out), &pair); err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	answer := tokensOf(t, curl(t, s, s.LWA()+"/auth/O2/token", "-H", form, "-X", "POST",
		"-d", "grant_type=device_code&device_code="+pair.DeviceCode+"&user_code="+pair.UserCode))
	if answer.AccessToken == "" || answer.RefreshToken == "" {
		t.Errorf("%+v", answer)
	}
}

func TestCurlSendsJSONAndChunks(t *testing.T) {
	s := start(t, Options{})
	refresh := loggedIn(t, s).RefreshToken
	members, _ := json.Marshal(map[string]string{"grant_type": "refresh_token", "refresh_token": refresh, "client_id": ClientID, "client_secret": ClientSecret})
	tokensOf(t, curl(t, s, "-H", "Content-Type: application/json", "-d", string(members), s.LWA()+"/auth/o2/token"))

	chunked := curlCommand(t, s, "--http1.1", "-X", "POST", "-T", "-", "-H", "Content-Type: application/x-www-form-urlencoded", s.LWA()+"/AUTH/O2/TOKEN")
	chunked.Stdin = io.MultiReader(strings.NewReader(refreshForm(refresh).Encode()), strings.NewReader(""))
	out, err := chunked.Output()
	if err != nil {
		t.Fatal(err)
	}
	tokensOf(t, string(out))

	tokensOf(t, curl(t, s, "-u", ClientID+":"+ClientSecret, "-d", "grant_type=refresh_token&refresh_token="+refresh, s.LWA()+"/auth/o2/token"))
}
