package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/charset"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/setup"
	"avsproxy/internal/terminal"

	"charm.land/huh/v2"
	"github.com/spf13/cobra"
)

type initFlags struct {
	setup.Answers
	kind          string
	command       string
	output        string
	print, accept bool
}

func initCommand(a *commands) *cobra.Command {
	var flags initFlags
	cmd := &cobra.Command{
		Use:   "init [URL]",
		Short: "Write a configuration, by asking what it needs",
		Long: `Write a configuration for an API, by asking what it needs. Each question is also
a flag; where standard input is no terminal, nothing is asked. It says what is to be
done at the provider, and what to run next. Secrets stay out of the file: they come
from the environment, a file or the system's keyring.

With the URL of an API that tells how one gets in to it (RFC 9728, RFC 8414), such as
an MCP server, nothing else is needed; where its provider allows that, a client is
registered (RFC 7591), unless you name one or --print.

An existing file is never overwritten without a question, or --yes.`,
		Example: `  avsproxy init
  avsproxy init --kind avs --client-id amzn1.application-oa2-client.1 --product-id my_product
  avsproxy init --kind provider --provider spotify --upstream https://api.spotify.com/v1 --client-id 1
  avsproxy init --kind token --upstream https://api.example.com --secret env:API_TOKEN --print
  avsproxy init https://mcp.example.com/mcp`,
		Args: arguments("[URL]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.run(cmd.Context(), a, strings.Join(args, ""))
		},
	}
	text := cmd.Flags().StringVar
	text(&flags.kind, "kind", "", "how one gets in: "+setup.KindNames())
	text(&flags.Name, "name", "", "the `NAME` of the route and its credential")
	text(&flags.Upstream, "upstream", "", "the `URL` of the API")
	text(&flags.Provider, "provider", "", "the known provider's `NAME`")
	text(&flags.Region, "region", "", "of an AVS device: na, eu or fe")
	text(&flags.Issuer, "issuer", "", "the provider's issuer `URL`")
	text(&flags.AuthURL, "auth-url", "", "the provider's authorization `URL`")
	text(&flags.TokenURL, "token-url", "", "the provider's token `URL`")
	text(&flags.RedirectURL, "redirect-url", "", "the `URL` that logins come back to (default "+setup.DefaultRedirectURL+")")
	text(&flags.ClientID, "client-id", "", "the client's `ID` at the provider")
	text(&flags.Secret, "secret", "", "where the client secret or the token comes from: env:NAME, file:/path, keyring:service/user, or none")
	cmd.Flags().StringSliceVar(&flags.Scopes, "scope", nil, "a `SCOPE` to ask for; may be repeated")
	text(&flags.ProductID, "product-id", "", "of an AVS device, its product's `ID`")
	text(&flags.DeviceSerial, "device-serial-number", "", "of an AVS device, any `NUMBER`")
	text(&flags.command, "command", "", "the `COMMAND` that prints the token, with its arguments")
	text(&flags.output, "output", "config.toml", "the `FILE` to write")
	text(&flags.CAFile, "ca-file", "", "a `FILE` with further roots of the API, PEM")
	cmd.Flags().BoolVar(&flags.print, "print", false, "print the configuration, and write nothing")
	cmd.Flags().BoolVarP(&flags.accept, "yes", "y", false, "overwrite an existing file")
	return cmd
}

func (f *initFlags) run(ctx context.Context, a *commands, address string) error {
	f.Kind, f.Command = setup.Kind(f.kind), strings.Fields(f.command)
	if path, err := filepath.Abs(f.CAFile); err == nil && f.CAFile != "" {
		f.CAFile = path // of whatever folder 'serve' runs in
	}
	if err := f.mayWrite(ctx, a); err != nil { // before a client is registered
		return err
	}
	secret := ""
	if address != "" {
		found, given, err := f.discover(ctx, a, address)
		if err != nil {
			return err
		}
		f.Answers, secret = *found, given
	}
	if err := f.ask(ctx, a); err != nil {
		return err
	}
	if secret != "" {
		f.Secret = "file:" + f.secretFile()
	}
	if f.Secret == "none" {
		f.Secret = ""
	}
	if err := f.Check(); err != nil {
		return terminal.Usage(err, "see 'avsproxy init --help'")
	}
	text := f.Config()
	if _, err := config.Parse(f.output, []byte(text), a.Getenv); err != nil && !onlySecretsMissing(err) {
		return err
	}
	if f.print {
		_, err := io.WriteString(a.stdout, text)
		return terminal.Failed(err, "")
	}
	if err := f.write(text, secret); err != nil {
		return err
	}
	f.sayNext(a)
	return f.offerLogin(ctx, a)
}

// offerLogin logs in where somebody is there to, and the secret is at hand.
func (f *initFlags) offerLogin(ctx context.Context, a *commands) error {
	conf, err := config.Load(f.output, a.Getenv)
	if err != nil || !f.LogsIn() || !terminal.IsTerminal(a.stdin) {
		return nil // what is missing was said
	}
	now := true
	if err := a.show(ctx, huh.NewConfirm().Title("Log in now?").Value(&now)); err != nil || !now {
		return err
	}
	if conf, err = app.PrepareStateFolder(a.Environment, conf); err != nil {
		return err
	}
	return new(loginFlags).run(ctx, a, conf, "")
}

// onlySecretsMissing reports whether all that is wrong is that secrets cannot be read yet.
func onlySecretsMissing(err error) bool {
	var issues config.Issues
	return errors.As(err, &issues) && !slices.ContainsFunc(issues, func(i config.Issue) bool {
		return !strings.HasSuffix(i.Key, ".client_secret") && !strings.HasSuffix(i.Key, ".token")
	})
}

// discover asks an API.
func (f *initFlags) discover(ctx context.Context, a *commands, address string) (*setup.Answers, string, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, "", terminal.Usage(fmt.Errorf("%s is not the URL of an API", address), "write one that begins with https://")
	}
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: onlyHTTPS}
	roots, err := app.Roots(f.CAFile)
	if err != nil {
		return nil, "", err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	client.Transport = transport
	redirect := cmp.Or(f.RedirectURL, setup.DefaultRedirectURL)
	if f.print || f.ClientID != "" {
		redirect = "" // no client is to be registered
	}
	found, secret, err := setup.Discover(ctx, client, address, redirect)
	switch {
	case errors.Is(err, setup.ErrNothingSaid):
		return nil, "", terminal.Failed(fmt.Errorf("%s: %w", address, err), "run 'avsproxy init' without the URL, which asks you")
	case errors.As(err, new(*url.Error)):
		return nil, "", terminal.Unreachable(fmt.Errorf("%s cannot be asked: %s", address, api.WithoutQuery(err)), "check the URL and the network, or run 'avsproxy init' without the URL")
	case err != nil:
		return nil, "", terminal.Failed(fmt.Errorf("%s: %w", address, err), "run 'avsproxy init' without the URL, which asks you")
	}
	found.Name, found.CAFile, found.RedirectURL, found.Scopes = f.Name, f.CAFile, f.RedirectURL, slices.Concat(f.Scopes, found.Scopes)
	if f.ClientID != "" {
		found.ClientID, found.Secret = f.ClientID, f.Secret
	}
	a.UI.Say("avsproxy: %s belongs to the provider %s", address, found.Issuer)
	if found.Registered {
		a.UI.Say("avsproxy: a client is registered there: %s", charset.Printable(found.ClientID))
	}
	return found, secret, nil
}

// onlyHTTPS follows no redirect that leads out of TLS.
func onlyHTTPS(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "https" || len(via) > 5 {
		return errors.New("it redirects to a place without TLS, or too often")
	}
	return nil
}

// mayWrite asks before a file would be overwritten.
func (f *initFlags) mayWrite(ctx context.Context, a *commands) error {
	_, err := os.Lstat(f.output)
	switch {
	case f.print, f.accept, errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return terminal.Failed(err, "name another file with --output")
	case !terminal.IsTerminal(a.stdin):
		return terminal.Failed(fmt.Errorf("%s exists, and was left as it is", f.output), "name another with --output, or overwrite it with --yes")
	}
	overwrite := false
	if err := a.show(ctx, huh.NewConfirm().Title("Overwrite "+f.output+"?").Value(&overwrite)); err != nil || overwrite {
		return err
	}
	return terminal.Failed(fmt.Errorf("%s was left as it is", f.output), "name another with --output")
}

// write writes the configuration, and beside it the file of the client secret, if there is one.
func (f *initFlags) write(text, secret string) error {
	if secret != "" {
		if err := durable.WriteFile(f.secretFile(), []byte(secret+"\n"), 0o600); err != nil {
			return terminal.Failed(err, "name another file with --output")
		}
	}
	return terminal.Failed(durable.WriteFile(f.output, []byte(text), 0o600), "name another file with --output")
}

// secretFile is where a secret goes that the provider gave to a client that was registered.
func (f *initFlags) secretFile() string {
	path, err := filepath.Abs(f.output)
	if err != nil {
		path = f.output
	}
	return strings.TrimSuffix(path, ".toml") + ".secret"
}

func (f *initFlags) sayNext(a *commands) {
	a.UI.Say("avsproxy: wrote %s", f.output)
	if !terminal.IsTerminal(a.stdin) && len(f.Steps()) > 0 {
		a.UI.Say("At the provider, if that is not done yet:")
		for _, step := range f.Steps() {
			a.UI.Say("  %s", step)
		}
	}
	a.UI.Say("Next:")
	for _, command := range f.Next(f.output) {
		a.UI.Say("  %s", command)
	}
}
