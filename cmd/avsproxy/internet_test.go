package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"avsproxy/internal/certs"

	"github.com/elazarl/goproxy"
	"github.com/rogpeppe/go-internal/testscript"
)

// internetNames are the hosts that answer behind the proxy of internetCmd.
var internetNames = []string{
	"eu.account.amazon.com", "api.amazon.co.uk", "alexa.eu.gateway.devices.a2z.com",
	"accounts.google.com", "oauth2.googleapis.com", "api.example.com", "login.example.com",
}

// internetCmd starts a proxy behind which names of the internet answer over TLS, and sets
// HTTPS_PROXY and SSL_CERT_FILE to it and its authority. Amazon's lead to the sandbox that "amazon"
// started; each other is an API and the provider of its tokens.
func internetCmd(ts *testscript.TestScript, neg bool, args []string) {
	authority, err := certs.New("internet", internetNames...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("internet.pem"), authority.RootPEM(), 0o644))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	quiet := log.New(io.Discard, "", 0)
	server := &http.Server{
		Handler:  internet(amazonHandler(ts, "LWA"), amazonHandler(ts, "AVS")),
		ErrorLog: quiet,
		TLSConfig: &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return authority.Leaf(time.Hour, hello.ServerName)
		}},
	}
	go server.ServeTLS(ln, "", "")
	proxy := goproxy.NewProxyHttpServer()
	proxy.Logger = quiet
	proxy.ConnectDial = func(network, host string) (net.Conn, error) { return net.Dial(network, ln.Addr().String()) }
	way := httptest.NewServer(proxy)
	ts.Defer(func() { way.Close(); server.Close() })
	ts.Setenv("HTTPS_PROXY", way.URL)
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("internet.pem"))
}

// amazonHandler passes requests to a service of the sandbox, whose address is in a variable.
func amazonHandler(ts *testscript.TestScript, variable string) http.Handler {
	target, err := url.Parse(ts.Getenv(variable))
	ts.Check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ts.ReadFile("amazon.pem")))
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	return proxy
}

func internet(lwa, avs http.Handler) http.Handler {
	others := new(anyAPI)
	others.token = rand.Text()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.Host, ".amazon."):
			lwa.ServeHTTP(w, r)
		case strings.HasPrefix(r.Host, "alexa."):
			avs.ServeHTTP(w, r)
		default:
			others.ServeHTTP(w, r)
		}
	})
}

// anyAPI is an API that wants a token, and the provider that gives it to the client
// "my-client" with the secret "my-secret", and to each that it registers.
type anyAPI struct{ token string }

func (a *anyAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	issuer := "https://" + r.Host
	switch path := r.URL.Path; {
	case path == "/.well-known/oauth-protected-resource/mcp":
		writeJSON(w, http.StatusOK, map[string]any{"resource": issuer + "/mcp", "authorization_servers": []string{"https://login.example.com"}, "scopes_supported": []string{"tools"}})
	case path == "/.well-known/oauth-authorization-server" && r.Host == "login.example.com":
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "registration_endpoint": issuer + "/register",
			"response_types_supported": []string{"code"},
		})
	case path == "/register":
		writeJSON(w, http.StatusCreated, map[string]any{"client_id": "registered"})
	case strings.HasSuffix(path, "/auth"), path == "/authorize":
		query := r.URL.Query()
		if !strings.HasSuffix(query.Get("redirect_uri"), "/authresponse") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer := url.Values{"code": {"a-code"}, "state": {query.Get("state")}}
		http.Redirect(w, r, query.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	case path == "/token":
		a.giveToken(w, r)
	case r.Header.Get("Authorization") != "Bearer "+a.token && r.Header.Get("Authorization") != "Bearer a-token-at-hand":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		io.WriteString(w, "answered by "+r.Host+path+"\n")
	}
}

func (a *anyAPI) giveToken(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if id != "registered" && (id != "my-client" || secret != "my-secret") {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if code, refresh := r.FormValue("code"), r.FormValue("refresh_token"); code+refresh != "" && code != "a-code" && refresh != a.token {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": a.token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": a.token})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client has gone
}
