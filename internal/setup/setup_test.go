package setup

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"avsproxy/internal/config"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// answerAll answers as a person who takes what is proposed.
func answerAll(t *testing.T, a *Answers, answers map[string]string) {
	t.Helper()
	asked := map[string]bool{}
	for {
		all := a.Questions()
		next := -1
		for i, q := range all {
			if !asked[q.Flag] {
				next = i
				break
			}
		}
		if next < 0 {
			return
		}
		q := all[next]
		asked[q.Flag] = true
		text, given := answers[q.Flag]
		if !given {
			text = q.Default
		}
		if text == "" && !q.Optional {
			t.Fatalf("nothing answers %+v", q)
		}
		if q.Check != nil && text != "" {
			testkit.NoError(t, q.Check(text))
		}
		q.Set(text)
	}
}

// What is written is a configuration that can be loaded, for each kind.
func TestConfigurationsThatAreWritten(t *testing.T) {
	for kind, answers := range map[Kind]map[string]string{
		AVS:               {"client-id": "amzn1", "product-id": "p", "region": "eu"},
		Provider:          {"provider": "google", "upstream": "https://photos.googleapis.com/v1", "client-id": "c", "scope": "a b"},
		OAuth2:            {"upstream": "https://api.example.com/v2/", "issuer": "https://login.example.com", "client-id": "c"},
		ClientCredentials: {"upstream": "https://www.example.com", "issuer": "https://login.example.com", "client-id": "c", "scope": "s"},
		Token:             {"upstream": "https://api.example.com"},
		Command:           {"upstream": "https://api.example.com", "command": "gcloud auth print-access-token"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			a := &Answers{Kind: kind}
			answerAll(t, a, answers)
			testkit.NoError(t, a.Check())
			c, err := config.Parse("config.toml", []byte(a.Config()), func(string) string { return "a-value" })
			if err != nil {
				t.Fatalf("%v in\n%s", err, a.Config())
			}
			credential := c.Credentials[c.Routes[0].Credential]
			if c.Sandbox || len(c.Routes) != 1 || credential.Name != c.Routes[0].Name {
				t.Errorf("%+v", c)
			}
			if kind == AVS && (credential.Region != "eu" || c.Routes[0].Upstream != "https://alexa.eu.gateway.devices.a2z.com" || !c.Routes[0].SingleConnection) {
				t.Errorf("%+v", c.Routes[0])
			}
			if next := strings.Join(a.Next("config.toml"), "\n"); !strings.HasSuffix(next, "avsproxy serve\ncurl -i http://localhost:9744"+map[bool]string{true: "/ping", false: "/"}[kind == AVS]) || a.LogsIn() != strings.Contains(next, "avsproxy login") {
				t.Error(next)
			}
		})
	}
}

func TestEachProviderHasItsSteps(t *testing.T) {
	for _, name := range tokens.ProviderNames() {
		if name == "amazon" {
			continue
		}
		a := &Answers{Kind: Provider, Provider: name}
		if steps := strings.Join(a.Steps(), "\n"); !strings.Contains(steps, "https://") || !strings.Contains(steps, DefaultRedirectURL) || a.scopeHelp() == "" || registrations[name].where == "" {
			t.Errorf("%s: %s", name, steps)
		}
	}
}

func TestNamesThatAreProposed(t *testing.T) {
	for upstream, want := range map[string]string{
		"https://api.example.com/v2": "example", "https://www.example.com": "example", "https://files.example.com": "files", "https://127.0.0.1:1": "127", "": "api",
	} {
		if got := (&Answers{Upstream: upstream}).proposedName(); got != want {
			t.Errorf("%s: %s", upstream, got)
		}
	}
}

func TestAnswersThatAreWrong(t *testing.T) {
	for flag, a := range map[string]Answers{
		"--upstream: ": {Upstream: "http://x"}, "--name: ": {Name: "No Name"}, "--secret: ": {Secret: "hunter2"}, "--issuer: ": {Issuer: "x"}, "--token-url: ": {TokenURL: "x"},
		"--redirect-url: ": {RedirectURL: "localhost:9745"},
	} {
		if err := a.Check(); err == nil || !strings.HasPrefix(err.Error(), flag) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s%v", flag, err)
		}
	}
}

// An apiServer is an API and its provider, as MCP servers are.
type apiServer struct {
	*httptest.Server
	metadata   map[string]any // at the well-known place; nil = there is none
	challenge  string
	registers  int // status of a registration; 0 = none is offered
	registered map[string]any
}

func startAPI(t *testing.T, change func(*apiServer)) *apiServer {
	t.Helper()
	s := &apiServer{}
	write := func(w http.ResponseWriter, v any) { json.NewEncoder(w).Encode(v) }
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/mcp":
			w.Header().Set("WWW-Authenticate", s.challenge)
			w.WriteHeader(http.StatusUnauthorized)
		case "/.well-known/oauth-protected-resource/mcp":
			if s.metadata == nil || s.challenge != "" {
				http.NotFound(w, r)
				return
			}
			write(w, s.metadata)
		case "/meta":
			write(w, s.metadata)
		case "/.well-known/oauth-authorization-server", "/tenant/.well-known/openid-configuration":
			m := map[string]any{"issuer": s.URL + strings.TrimSuffix(r.URL.Path, "/.well-known/openid-configuration"), "token_endpoint": s.URL + "/token"}
			if r.URL.Path[1] == '.' {
				m["issuer"] = s.URL
			}
			if s.registers != 0 {
				m["registration_endpoint"] = s.URL + "/register"
			}
			write(w, m)
		case "/register":
			json.NewDecoder(r.Body).Decode(&s.registered)
			w.WriteHeader(s.registers)
			write(w, map[string]any{"client_id": "given", "client_secret": "also-given"})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	change(s)
	return s
}

func TestAPIsThatTellHowOneGetsIn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*apiServer)
		want   func(s *apiServer) Answers
		secret string
		fails  string
	}{
		"by metadata, with a registration": {
			change: func(s *apiServer) {
				s.metadata = map[string]any{"resource": s.URL + "/mcp", "authorization_servers": []string{s.URL}, "scopes_supported": []string{"read"}}
				s.registers = 201
			},
			want: func(s *apiServer) Answers {
				return Answers{Issuer: s.URL, ClientID: "given", Resource: s.URL + "/mcp", Registered: true, Scopes: []string{"read"}}
			},
			secret: "also-given",
		},
		"where its refusal says": {
			change: func(s *apiServer) {
				s.metadata = map[string]any{"authorization_servers": []string{s.URL}}
				s.challenge = `Bearer error="invalid_token", resource_metadata="` + s.URL + `/meta"`
			},
			want: func(s *apiServer) Answers { return Answers{Issuer: s.URL} },
		},
		"without a registration": {
			change: func(s *apiServer) { s.metadata = map[string]any{"authorization_servers": []string{s.URL + "/tenant"}} },
			want:   func(s *apiServer) Answers { return Answers{Issuer: s.URL + "/tenant"} },
		},
		"its own provider": {
			change: func(*apiServer) {},
			want:   func(s *apiServer) Answers { return Answers{Issuer: s.URL} },
		},
		"a registration that is refused": {
			change: func(s *apiServer) { s.registers = 403 },
			fails:  "answered with 403",
		},
		"metadata of another": {
			change: func(s *apiServer) {
				s.metadata = map[string]any{"resource": "https://other.example/mcp", "authorization_servers": []string{s.URL}}
			},
			fails: "is about another",
		},
		"a provider in the clear": {
			change: func(s *apiServer) {
				s.metadata = map[string]any{"authorization_servers": []string{"http://login.example"}}
			},
			fails: "is about another",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startAPI(t, c.change)
			a, secret, err := Discover(t.Context(), s.Client(), s.URL+"/mcp", DefaultRedirectURL)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%v", err)
				}
				return
			}
			testkit.NoError(t, err)
			want := c.want(s)
			if a.Issuer != want.Issuer || a.ClientID != want.ClientID || a.Resource != want.Resource || a.Registered != want.Registered || strings.Join(a.Scopes, " ") != strings.Join(want.Scopes, " ") || secret != c.secret || a.Upstream != s.URL+"/mcp" {
				t.Errorf("%+v, want %+v; secret %q", a, want, secret)
			}
			if want.Registered && s.registered["token_endpoint_auth_method"] != "none" {
				t.Errorf("%v", s.registered)
			}
		})
	}
	silent := httptest.NewTLSServer(http.NotFoundHandler())
	defer silent.Close()
	if _, _, err := Discover(t.Context(), silent.Client(), silent.URL, DefaultRedirectURL); !errors.Is(err, ErrNothingSaid) {
		t.Error(err)
	}
	if _, _, err := Discover(t.Context(), silent.Client(), "http://x", DefaultRedirectURL); err == nil {
		t.Error("it asks in the clear")
	}
}
