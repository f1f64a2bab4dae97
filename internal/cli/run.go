package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/exchange"
	"avsproxy/internal/terminal"
	"avsproxy/tokens"

	"github.com/spf13/cobra"
)

func runCommand(a *commands) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [--] CMD [ARG...]",
		Short: "Run a command whose requests go through the proxy",
		Long: `Run a command whose requests go through the proxy, and end with its exit code. The
running 'avsproxy serve' takes them, or else a proxy that lives as long as the
command.

The command's environment names the proxy (HTTP_PROXY, HTTPS_PROXY, NO_PROXY,
AVSPROXY_URL) and the certificate authority beside the system's and your own roots
(SSL_CERT_FILE, REQUESTS_CA_BUNDLE, GIT_SSL_CAINFO and others; docs/clients.md lists
them). A client_key is in the proxy's URL. Variables that the configuration reads
secrets from are not passed on.`,
		Example: "  avsproxy run -- curl -i https://api.example.com/v2/things",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return terminal.Usage(errors.New("there is no command to run"), "write it behind two hyphens: avsproxy run -- curl -i https://api.example.com/")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runChild(cmd.Context(), a, args)
		},
	}
	cmd.Flags().SetInterspersed(false) // the flags behind CMD are the command's
	return cmd
}

func runChild(ctx context.Context, a *commands, argv []string) error {
	ignoreBrokenPipe()
	path, err := findProgram(argv[0])
	if err != nil {
		return err
	}
	conf, err := a.load(ctx, config.LoadWithoutSecrets)
	if err != nil {
		return err
	}
	serving := app.FindDaemon(ctx, a.Environment, conf)
	if serving == nil {
		own, err := serveChild(ctx, a)
		if err != nil {
			return err
		}
		defer own.Close()
		conf, serving = own.Conf, own.Daemon()
	}
	unsetSecretVariables(conf)
	env, err := childEnvironment(ctx, a, conf, serving.Proxy)
	if err != nil {
		return err
	}
	warnLogins(ctx, a, serving)
	return runProgram(ctx, a, path, argv, env)
}

// serveChild starts a proxy for the command alone. It prints no line for each
// request: the terminal is the command's.
func serveChild(ctx context.Context, a *commands) (*app.Server, error) {
	conf, err := a.load(ctx, toServe(config.Overrides{}))
	if err != nil {
		return nil, err
	}
	a.sayBuiltIn(conf)
	unsetSecretVariables(conf)
	a.UI.Level.Set(levelDuringChild)
	own := *conf
	own.Proxy.Listen = []string{childListener(conf.Proxy.Listen)}
	s, err := app.NewServer(a.Environment, &own)
	if err != nil {
		return nil, err
	}
	s.Isolated, s.FallbackPort = true, true
	if err := s.Begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// childListener is the first of the configured addresses that HTTP_PROXY can name. A
// command on this machine needs no more than loopback.
func childListener(configured []string) string {
	for _, addr := range configured {
		host, port, err := net.SplitHostPort(addr)
		switch {
		case err != nil || strings.HasPrefix(addr, "unix:"):
		case exchange.IsLocal(host):
			return addr
		default:
			return "localhost:" + port
		}
	}
	return "localhost:0"
}

// childAddress is how a command on this machine reaches the proxy.
func childAddress(addresses []string) (*url.URL, error) {
	i := slices.IndexFunc(addresses, func(address string) bool { return strings.HasPrefix(address, "http://") })
	if i < 0 {
		return nil, terminal.Failed(errors.New("the running avsproxy listens on a unix socket only, which HTTP_PROXY cannot name"),
			`add "localhost:9744" to listen in [proxy]`)
	}
	address, err := url.Parse(addresses[i])
	if err != nil {
		return nil, err
	}
	switch ip := net.ParseIP(address.Hostname()); {
	case ip == nil || !ip.IsUnspecified():
	case ip.To4() != nil:
		address.Host = net.JoinHostPort("127.0.0.1", address.Port())
	default:
		address.Host = net.JoinHostPort("::1", address.Port())
	}
	return address, nil
}

// warnLogins says which routes will answer that a login is needed.
func warnLogins(ctx context.Context, a *commands, serving *api.Daemon) {
	var status api.Status
	if serving.Call(ctx, http.MethodGet, "/api/status", nil, &status) != nil {
		return // the command's requests will show it
	}
	for _, c := range status.Credentials {
		i := slices.IndexFunc(status.Routes, func(r api.Route) bool { return r.Credential == c.Name })
		if i < 0 || c.State != tokens.StateLoginNeeded {
			continue
		}
		hint := "run 'avsproxy login " + c.Name + "'"
		if c.Login {
			hint = "open " + api.WithCredential(api.LocalhostURL(status.Console)+"/login", c.Name) + " in a browser"
		}
		a.UI.Warn("route "+status.Routes[i].Name+" needs a login first", hint)
	}
}

// What shells and env(1) end with where a command cannot be run.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
)

// findProgram looks for the command before anything is started for it.
func findProgram(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return "", terminal.Exit(exitNotFound, fmt.Errorf("there is no command %s", name), "name a program in PATH, or the path of one")
	}
	return "", notRunnable(name, err)
}

func notRunnable(name string, err error) error {
	return terminal.Exit(exitNotRunnable, fmt.Errorf("%s cannot be run: %w", name, err), "")
}

// runProgram runs the command in our place at the terminal: it has our standard
// streams and stays in our process group, so that Ctrl-C and Ctrl-Z reach it as if
// it had been started alone. Its exit code becomes that of this process.
func runProgram(ctx context.Context, a *commands, path string, argv, env []string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, childSignals...)
	defer signal.Stop(signals)
	a.childRuns.Store(true)
	defer a.childRuns.Store(false)
	if ctx.Err() != nil { // a signal came before
		return context.Cause(ctx)
	}
	cmd := exec.Command(path)
	cmd.Args, cmd.Env = argv, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.UI.Out
	if err := withCores(ctx, cmd.Start); err != nil {
		return notRunnable(argv[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return childEnded(err)
		case sig := <-signals:
			passSignal(cmd.Process, sig)
		}
	}
}

// passSignal hands on what was sent to us alone. A key press sends its signal to
// the whole foreground process group, and twice would be once too often: many
// programs take a second SIGINT for "at once".
func passSignal(child *os.Process, sig os.Signal) {
	if sig == syscall.SIGTERM || !inForeground() {
		_ = child.Signal(sig) // it may just have ended
	}
}

// childEnded turns the end of the command into our own, as shells do: 128 and the
// signal where there was one.
func childEnded(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &terminal.ExitError{Code: 128 + int(status.Signal())}
	}
	return &terminal.ExitError{Code: exit.ExitCode()}
}
