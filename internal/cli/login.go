package cli

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"github.com/spf13/cobra"
)

type loginFlags struct {
	noBrowser bool
	paste     bool
	device    bool
}

// byDevice reports whether the person types a code on another device.
func (f *loginFlags) byDevice(conf config.Credential) bool {
	return f.device || conf.Grant == "device_code" && !f.noBrowser && !f.paste
}

func loginCommand(a *commands) *cobra.Command {
	var flags loginFlags
	cmd := &cobra.Command{
		Use:   "login [NAME]",
		Short: "Log in to a credential (the default route's, if none is named)",
		Long: `Log in to a credential. A browser opens at the provider, which sends it back to
the redirect URI on this machine; where 'serve' is running, its console takes the
callback, else this command listens for it.

With --device, or where grant = "device_code", a code is shown instead, to be
typed in on any other device. Where grant = "refresh_token" without a token in the
configuration, the token is read from standard input. Each login is proven before
it takes the place of an older one.`,
		Args: arguments("[NAME]"),
		Example: `  avsproxy login
  avsproxy login github --no-browser`,
		ValidArgsFunction: completeCredential(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.configured(a.toLogIn(cmd.Context(), strings.Join(args, "")), flags.run)(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&flags.noBrowser, "no-browser", false, "open nothing; print the URL on stdout and wait for the callback")
	cmd.Flags().BoolVar(&flags.paste, "paste", false, "open nothing; also take the redirected URL from stdin, for a browser on another machine")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if flags.device && (flags.paste || flags.noBrowser) {
			return terminal.Usage(errors.New("--device uses no browser here, so --paste and --no-browser mean nothing with it"), "give one of them")
		}
		return nil
	}
	cmd.Flags().BoolVar(&flags.device, "device", false, "show a code to type in on another device, where the provider offers that")
	return cmd
}

// toLogIn reads no secret where the running proxy does the login, which has read them.
func (a *commands) toLogIn(ctx context.Context, name string) loader {
	return func(path string, getenv func(string) string) (*config.Config, error) {
		conf, err := config.LoadWithoutSecrets(path, getenv)
		if err != nil {
			return config.Load(path, getenv) // which says all that is wrong
		}
		asked, _ := app.CredentialName(conf, name)
		interactive := conf.Sandbox || slices.Contains([]string{"authorization_code", "device_code"}, conf.Credentials[asked].Grant)
		if daemon := app.FindDaemon(ctx, a.Environment, conf); interactive && daemon != nil {
			daemon.CloseIdle()
			return conf, nil
		}
		return config.Load(path, getenv)
	}
}

// A loginAttempt is one login under way, here or in the console of a running proxy.
type loginAttempt struct {
	api.LoginBegun
	wait  func(context.Context) (lasting bool, err error)
	paste func(context.Context, *url.URL) error
	close func()
}

func (f *loginFlags) run(ctx context.Context, a *commands, conf *config.Config, name string) error {
	ignoreBrokenPipe()
	if _, err := app.CredentialName(conf, name); err != nil {
		return err
	}
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	if handled, err := loginNonInteractive(ctx, a, conf, name, daemon); handled || err != nil {
		return err
	}
	attempt, err := f.begin(ctx, a, conf, name, daemon)
	if attempt == nil || err != nil {
		return err
	}
	defer attempt.close()
	warnOfOtherClient(a, conf, attempt)
	f.announce(a, attempt)
	if f.paste {
		defer pasteMode(a)()
		go readPasted(ctx, a, attempt)
	}
	stop := countDown(a, attempt.Device)
	lasting, err := attempt.wait(ctx)
	stop()
	if err != nil {
		return app.LoginFailed(err)
	}
	a.UI.Say("avsproxy: logged in to %s", attempt.Credential)
	if !lasting {
		a.UI.Warn("the provider gave no refresh token: this login ends with its access token", "ask for a client type or scope that gets one")
	}
	return nil
}

// warnOfOtherClient warns that the running proxy was started with another client_id
// than the configuration has now.
func warnOfOtherClient(a *commands, conf *config.Config, attempt *loginAttempt) {
	mine := conf.Credentials[attempt.Credential].ClientID
	if !conf.Sandbox && mine != "" && attempt.ClientID != mine {
		a.UI.Warn("the running proxy logs in with another client_id than "+nameOf(conf)+" has", "start it again to have it use the present configuration")
	}
}

// begin returns nil where another process has finished the same login meanwhile.
func (f *loginFlags) begin(ctx context.Context, a *commands, conf *config.Config, name string, daemon *api.Daemon) (*loginAttempt, error) {
	if daemon != nil {
		return f.beginAtDaemon(ctx, daemon, conf, name)
	}
	if conf.Sandbox {
		return nil, terminal.Failed(app.ErrNoSandbox, "run 'avsproxy serve': it has its sandbox with it and logs in by itself")
	}
	if conf.Store.Kind == "memory" {
		return nil, terminal.Failed(errors.New("the store is memory, and no 'avsproxy serve' is running that could keep the login"), "start it first")
	}
	return f.beginHere(ctx, a, conf, name)
}

// beginHere takes the callback in this process.
func (f *loginFlags) beginHere(ctx context.Context, a *commands, conf *config.Config, name string) (*loginAttempt, error) {
	began := time.Now()
	done, waited, err := lockLogin(ctx, a, conf)
	if err != nil {
		return nil, err
	}
	if daemon := app.FindDaemon(ctx, a.Environment, conf); waited && daemon != nil { // it began to serve meanwhile
		done()
		return f.beginAtDaemon(ctx, daemon, conf, name)
	}
	attempt, err := app.BeginLocalLogin(ctx, a.Environment, conf, name, f.byDevice, began)
	if attempt == nil || err != nil {
		done()
		return nil, err
	}
	if waited {
		a.UI.Say("The other login is over; now it is this one's turn.")
	}
	return &loginAttempt{
		LoginBegun: attempt.LoginBegun, wait: attempt.Wait, paste: attempt.Paste,
		close: func() { attempt.Close(); done() },
	}, nil
}

// beginAtDaemon hands the login over to the running proxy's console.
func (f *loginFlags) beginAtDaemon(ctx context.Context, r *api.Daemon, conf *config.Config, name string) (*loginAttempt, error) {
	query := url.Values{"by": {"browser"}}
	if name != "" {
		query.Set("credential", name)
	}
	if f.byDevice(conf.Credentials[cmp.Or(name, conf.Routes[0].Credential)]) {
		query.Set("by", "device")
	}
	attempt := &loginAttempt{close: func() {}}
	if err := r.Call(ctx, http.MethodPost, "/api/logins?"+query.Encode(), nil, &attempt.LoginBegun); err != nil {
		return nil, err
	}
	attempt.wait = func(ctx context.Context) (bool, error) { return r.AwaitLogin(ctx, attempt.ID) }
	attempt.paste = r.Deliver
	return attempt, nil
}

// lockNoticeAfter is how long a login waits for another one before it says so.
const lockNoticeAfter = 100 * time.Millisecond

// lockLogin waits until no other process is logging in with this state folder:
// they would fight for the callback's port. It says so where it has to wait.
func lockLogin(ctx context.Context, a *commands, conf *config.Config) (done func(), waited bool, err error) {
	store := tokens.FileStore{Dir: filepath.Clean(conf.Store.Path)}
	soon, cancel := context.WithTimeout(ctx, lockNoticeAfter)
	defer cancel()
	done, err = store.Lock(soon, ".login")
	if !errors.Is(err, context.DeadlineExceeded) {
		return done, false, terminal.Failed(err, "")
	}
	a.UI.Say("Another 'avsproxy login' is under way in %s; waiting for it (Ctrl-C to stop)", conf.Store.Path)
	done, err = store.Lock(ctx, ".login")
	return done, true, err
}

func logoutCommand(a *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "logout [NAME]",
		Short: "Forget a login (the default route's, if none is named)",
		Long: `Forget a login. It is removed here whatever the provider says; where the
provider has a revocation endpoint (revoke_url) it is told first.`,
		Example: `  avsproxy logout
  avsproxy logout github`,
		Args:              arguments("[NAME]"),
		ValidArgsFunction: completeCredential(a),
		RunE:              a.configured(config.LoadWithoutSecrets, runLogout),
	}
}

func runLogout(ctx context.Context, a *commands, conf *config.Config, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := app.CredentialName(conf, name); err != nil {
		return err
	}
	if daemon := app.FindDaemon(ctx, a.Environment, conf); daemon != nil {
		var done api.LogoutDone
		if err := daemon.Call(ctx, http.MethodDelete, api.WithCredential("/api/login", name), nil, &done); err != nil {
			return err
		}
		sayLoggedOut(a, conf, done.WasLoggedIn)
		return nil
	}
	program, err := app.Build(a.Environment, conf, app.Resolved{Sandbox: app.StoppedSandbox(conf.Sandbox)})
	if err != nil {
		return err
	}
	credential, err := program.Find(name)
	if err != nil {
		return err
	}
	err = credential.Source.Logout(ctx)
	if err != nil && !errors.Is(err, tokens.ErrNoGrant) {
		return terminal.Failed(err, "")
	}
	sayLoggedOut(a, conf, err == nil)
	return nil
}

func sayLoggedOut(a *commands, conf *config.Config, was bool) {
	if !was {
		a.UI.Say("avsproxy: there was no login")
		return
	}
	a.UI.Say("avsproxy: logged out")
	if !conf.Sandbox {
		a.UI.Hint("the consent itself is taken back in the account settings at the provider; at Amazon under \"Login with Amazon\"")
	}
}
