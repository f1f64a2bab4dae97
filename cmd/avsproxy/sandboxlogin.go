package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// loginToSandbox does what a person would do in a browser: it presses the login
// page's button and follows where that leads. The sandbox consents at once.
func (s *server) loginToSandbox(ctx context.Context) error {
	if s.stand == nil {
		return nil
	}
	client := http.Client{
		Transport: &http.Transport{Proxy: nil, TLSClientConfig: s.trustBoth(), DisableKeepAlives: true},
		Timeout:   30 * time.Second,
	}
	for _, credential := range s.program.credentials {
		if !credential.interactive() {
			continue
		}
		form := url.Values{"credential": {credential.conf.Name}, "by": {"browser"}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.console.Self+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return failed(errors.New("logging in to the sandbox: "+withoutQuery(err)), "")
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return failed(fmt.Errorf("logging in to the sandbox: the last page answered %d", resp.StatusCode), "see "+s.loginURL(credential.conf.Name))
		}
	}
	return nil
}

// withoutQuery leaves out the URL that net/http puts into its errors: its query
// may hold a code.
func withoutQuery(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err.Error()
	}
	return err.Error()
}

// trustBoth is for the login to the sandbox: it meets our console and the sandbox.
func (s *server) trustBoth() *tls.Config {
	roots := s.stand.roots()
	roots.AppendCertsFromPEM(s.roots.RootPEM())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
