package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/charset"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"golang.org/x/term"
)

// loginNonInteractive does what 'login' means for a credential that no provider asks a
// person about: it takes a refresh token, or proves that the configured one works.
func loginNonInteractive(ctx context.Context, a *commands, conf *config.Config, name string, daemon *api.Daemon) (handled bool, err error) {
	if conf.Sandbox {
		return false, nil
	}
	program, err := app.Build(a.Environment, conf, app.Resolved{})
	if err != nil {
		return false, err
	}
	credential, err := program.Find(name)
	if err != nil || credential.Interactive() {
		return false, err
	}
	if !credential.Imports() {
		return true, proveCredential(ctx, a, program, credential)
	}
	if conf.Store.Kind == "memory" {
		return true, terminal.Failed(errors.New("the store is memory, which would forget the refresh token at once"), "set kind = \"file\" in [store], or refresh_token in the configuration")
	}
	if err := importToken(ctx, a, credential); err != nil {
		return true, err
	}
	if daemon != nil { // it goes on with the new login at once
		return true, daemon.Call(ctx, http.MethodPost, api.WithCredential("/api/reload", credential.Conf.Name), &struct{}{})
	}
	return true, nil
}

// proveCredential gets a token, which is all that can be tried here.
func proveCredential(ctx context.Context, a *commands, program *app.Program, credential *app.Credential) error {
	credential.Source.MustSave, credential.Source.WaitForResponse = true, true
	if err := credential.Source.Load(); err != nil {
		return terminal.Failed(err, "")
	}
	defer program.AwaitRenewals()
	token, err := credential.Source.Token(ctx)
	if err != nil {
		return tokenFailed(program, credential, err)
	}
	a.UI.Say("avsproxy: %s needs no login (grant %s); a token was got%s", credential.Conf.Name, credential.Conf.Grant, lifeText(token))
	return nil
}

func lifeText(token tokens.Token) string {
	if token.Expiry.IsZero() {
		return ""
	}
	return ", expires " + terminal.When(token.Expiry)
}

// importToken reads a refresh token, renews it once, and stores the resulting grant.
func importToken(ctx context.Context, a *commands, credential *app.Credential) error {
	typed, err := readSecret(ctx, a, "Refresh token of "+credential.Conf.Name+": ")
	if err != nil {
		return err
	}
	if err := checkTokenForm(typed); err != nil {
		return err
	}
	if err := credential.Conf.RefreshToken.Check(typed); err != nil {
		return terminal.Usage(fmt.Errorf("what was read %w", err), "")
	}
	defer context.AfterFunc(ctx, func() {
		if credential.Source.Status().Renewing {
			a.SayAwaitingRenewal(credential.Conf.Name)
		}
	})()
	switch err := credential.Source.Import(ctx, credential.Client.Imported(typed)); {
	case errors.Is(err, tokens.ErrImported) && !tokens.LoginNeeded(err):
		a.UI.Say("avsproxy: %s is logged in: %v; nothing was sent", credential.Conf.Name, err)
	case err != nil:
		return importFailed(err)
	default:
		a.UI.Say("avsproxy: logged in to %s; the refresh token works and is kept", credential.Conf.Name)
	}
	return nil
}

// checkTokenForm keeps what cannot be a token (RFC 6749 appendix A.17) from being sent
// to the provider: it may be the wrong file.
func checkTokenForm(typed tokens.Secret) error {
	const most = 16 << 10
	strange := func(r rune) bool { return r <= 0x20 || r > 0x7e }
	if text := typed.Reveal(); len(text) > most || strings.ContainsFunc(text, strange) {
		return terminal.Usage(errors.New("what was read is no refresh token; it was sent to nobody"), "give the token alone, as one line")
	}
	return nil
}

// importFailed words a refusal for somebody who has just brought the token.
func importFailed(err error) error {
	var e *tokens.Error
	if errors.As(err, &e) && e.Action == tokens.ActionLogin && !errors.Is(err, tokens.ErrImported) {
		return terminal.Failed(fmt.Errorf("the provider does not accept this refresh token (%s)", e.Code), "check that it is whole, is not spent, and belongs to client_id")
	}
	if errors.As(err, &e) && (e.Action == tokens.ActionRetry || e.Action == tokens.ActionWait) {
		return terminal.Unreachable(e, "nothing was changed; check the network and try again")
	}
	return app.LoginFailed(err)
}

// readSecret reads one line from stdin, unseen where that is a terminal.
func readSecret(ctx context.Context, a *commands, prompt string) (tokens.Secret, error) {
	read := make(chan tokens.Secret, 1)
	go func() {
		if file, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			fmt.Fprint(a.UI.Out, prompt)
			text, _ := term.ReadPassword(int(file.Fd()))
			a.UI.Say("")
			read <- tokens.Secret(strings.TrimSpace(string(text)))
			return
		}
		text, _ := io.ReadAll(io.LimitReader(a.stdin, 64<<10))
		read <- tokens.Secret(strings.TrimSpace(string(charset.UTF8(text))))
	}()
	select {
	case text := <-read:
		if text.IsZero() {
			return "", terminal.Usage(errors.New("no refresh token came from standard input"), "give it as one line: avsproxy login NAME < FILE")
		}
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
