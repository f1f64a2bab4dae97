package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/peer"
	"avsproxy/internal/share"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"
)

// newShare makes what gives tokens to others, if the configuration has it.
func (s *Server) newShare() error {
	if len(s.shareListeners) == 0 {
		return nil
	}
	clients, err := s.Conf.Share.ClientsByUID()
	if err != nil {
		return terminal.Usage(err, "see clients of [share]")
	}
	s.share = &share.Handler{
		Sources: map[string]*tokens.Source{}, Clients: clients, Self: os.Geteuid(),
		Peer: func(r *http.Request) peer.Peer { return httpexchange.Conn(r).Peer },
		Taken: func(client, credential string, status int) {
			s.env.UI.Log.Debug("a token was asked for", "client", client, "credential", credential, "status", status)
		},
	}
	for _, credential := range s.program.credentials {
		s.share.Sources[credential.Conf.Name] = credential.Source
	}
	return nil
}

func (s *Server) startShare() error {
	if s.share == nil {
		return nil
	}
	conf, err := shareTLS(s.Conf.Share)
	if err != nil {
		return err
	}
	server := httpserver.New(s.share, httpserver.DiscardLog())
	s.closers = append(s.closers, func() { server.Close() })
	s.ended = append(s.ended, httpserver.Serve(server, s.shareListeners, conf))
	return nil
}

// shareTLS lets those in whose certificate the authority has signed; nil = all listeners are
// sockets of this machine.
func shareTLS(conf config.Share) (*tls.Config, error) {
	if conf.ClientCA == "" {
		return nil, nil
	}
	pair, err := readPair(conf.TLSCert, conf.TLSKey)
	if err != nil {
		return nil, terminal.Usage(fmt.Errorf("share: tls_cert and tls_key: %w", err), "both are files in PEM form that belong together")
	}
	text, err := durable.ReadFile(conf.ClientCA, MaxPEM)
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s holds no certificate", conf.ClientCA)
	}
	if err != nil {
		return nil, terminal.Usage(fmt.Errorf("share: client_ca: %w", err), "it is a file in PEM form")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}, nil
}

// remoteCredential takes its tokens from another avsproxy.
func remoteCredential(conf config.Credential, source *tokens.Source) (*Credential, error) {
	remote := &tokens.Remote{URL: strings.TrimSuffix(conf.URL, "/"), Credential: conf.Name}
	if path, isSocket := strings.CutPrefix(conf.URL, "unix:"); isSocket {
		remote.URL = "http://localhost"
		remote.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}
	} else {
		roots, err := loadRoots(conf.CAFile)
		if err != nil {
			return nil, err
		}
		pair, err := readPair(conf.TLSCert, conf.TLSKey)
		if err != nil {
			return nil, terminal.Usage(fmt.Errorf("credential %s: tls_cert and tls_key: %w", conf.Name, err), "both are files in PEM form that belong together")
		}
		remote.HTTP = &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		}}
	}
	remote.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	source.Store = &tokens.MemoryStore{} // the owner keeps it
	source.Unattended, source.Renew, source.Matches = true, remote.Renew, remote.Matches
	return &Credential{Conf: conf, Source: source, Remote: remote}, nil
}
