package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"
)

// loginToSandbox does what a person would do in a browser: it presses the login
// page's button and follows where that leads. The sandbox consents at once.
func loginToSandbox(ctx context.Context, s *Server) error {
	if s.sandbox == nil {
		return nil
	}
	client := http.Client{
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: trustBoth(s), DisableKeepAlives: true},
		Timeout:   30 * time.Second,
	}
	for _, credential := range s.program.credentials {
		if !credential.Interactive() {
			continue
		}
		form := url.Values{"credential": {credential.Conf.Name}, "by": {"browser"}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.console.Self+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return terminal.Failed(errors.New("logging in to the sandbox: "+api.WithoutQuery(err)), "")
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return terminal.Failed(fmt.Errorf("logging in to the sandbox: the last page answered %d", resp.StatusCode), "see "+s.loginURL(credential.Conf.Name))
		}
	}
	return nil
}

// trustBoth is for the login to the sandbox: it meets our console and the sandbox.
func trustBoth(s *Server) *tls.Config {
	roots := s.sandbox.Roots()
	roots.AppendCertsFromPEM(s.roots.RootPEM())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
