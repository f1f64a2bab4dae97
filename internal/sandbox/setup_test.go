package sandbox

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	redirectURI = "https://localhost:9745/authresponse"
	scopeData   = `{"alexa:all":{"productID":"test_device","productInstanceAttributes":{"deviceSerialNumber":"1"}}}`
)

func start(t *testing.T, o Options) *Sandbox {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client speaks to a sandbox as a careful client would, and follows no redirect.
func client(t *testing.T, s *Sandbox) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: s.Pool()},
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// authorizeQuery is a good authorize request, changed by pairs of name and value.
func authorizeQuery(pairs ...string) url.Values {
	query := url.Values{
		"client_id":     {ClientID},
		"scope":         {"alexa:all"},
		"scope_data":    {scopeData},
		"response_type": {"code"},
		"redirect_uri":  {redirectURI},
		"state":         {"st&ate"},
	}
	return with(query, pairs...)
}

func with(values url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			values.Del(pairs[i])
		}
	}
	return values
}

// consentTo asks for consent and returns the redirect's query.
func consentTo(t *testing.T, s *Sandbox, query url.Values) url.Values {
	t.Helper()
	answer := do(t, client(t, s), "GET", s.LWA()+"/ap/oa?"+query.Encode(), "", nil)
	target, err := url.Parse(answer.Header.Get("Location"))
	if answer.StatusCode != http.StatusFound || err != nil {
		t.Fatalf("authorize: %s, %v", answer.Status, err)
	}
	return target.Query()
}

func exchangeForm(code string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {redirectURI},
		"client_id":     {ClientID},
		"client_secret": {ClientSecret},
	}, pairs...)
}

func refreshForm(token string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {token},
		"client_id":     {ClientID},
		"client_secret": {ClientSecret},
	}, pairs...)
}

// A tokenAnswer is any answer of the token endpoint.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
	RequestID    string `json:"request_id"`
	status       int
	header       http.Header
}

func postToken(t *testing.T, s *Sandbox, form url.Values) tokenAnswer {
	t.Helper()
	return postTokenAs(t, s, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func postTokenAs(t *testing.T, s *Sandbox, contentType string, body io.Reader) tokenAnswer {
	t.Helper()
	answer := do(t, client(t, s), "POST", s.LWA()+"/auth/o2/token", contentType, body)
	parsed := tokenAnswer{status: answer.StatusCode, header: answer.Header}
	if err := json.Unmarshal(answer.body, &parsed); err != nil {
		t.Fatalf("token endpoint: %s %q: %v", answer.Status, answer.body, err)
	}
	return parsed
}

// loggedIn returns the tokens of a fresh grant.
func loggedIn(t *testing.T, s *Sandbox) tokenAnswer {
	t.Helper()
	answer := postToken(t, s, exchangeForm(consentTo(t, s, authorizeQuery()).Get("code")))
	if answer.status != http.StatusOK {
		t.Fatalf("login: %d %s", answer.status, answer.Error)
	}
	return answer
}

type reply struct {
	*http.Response
	body []byte
}

func do(t *testing.T, c *http.Client, method, url, contentType string, body io.Reader) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t, time.Minute), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return send(t, c, request)
}

func send(t *testing.T, c *http.Client, request *http.Request) reply {
	t.Helper()
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response, text}
}

// ask makes a request to AVS that carries a token.
func ask(t *testing.T, s *Sandbox, token, method, path string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t, time.Minute), method, s.AVS()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return request
}

// curlCommand is a real curl that trusts the sandbox.
func curlCommand(t *testing.T, s *Sandbox, args ...string) *exec.Cmd {
	t.Helper()
	testkit.NeedTool(t, "curl")
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, s.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(within(t, time.Minute), "curl", append([]string{"-sS", "--cacert", root}, args...)...)
}

func curl(t *testing.T, s *Sandbox, args ...string) string {
	t.Helper()
	cmd := curlCommand(t, s, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl: %v: %s", err, stderr.String())
	}
	return string(out)
}
