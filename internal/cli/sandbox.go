package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/durable"
	"avsproxy/internal/exchange"
	"avsproxy/internal/gate"
	"avsproxy/internal/httpexchange"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

type sandboxFlags struct {
	faults            string
	timeScale         float64
	caOut             string
	autoConsent       bool
	oneConnection     bool
	asJSON            bool
	lwa, avs, control string
}

func sandboxCommand(a *commands) *cobra.Command {
	var flags sandboxFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run the stand-in for Amazon alone, for tests of clients",
		Long: `Run a small Amazon on this machine: Login with Amazon and the Alexa Voice Service,
able to misbehave on request. It needs no account, no network and no config.toml.

Faults are written NAME[=VALUE][@WHEN] [xCOUNT] [P%], several with commas between,
such as 'expire-token, 403@3, goaway@10s'. The names:

` + sandbox.FaultTable(),
		Example: `  avsproxy sandbox
  avsproxy sandbox --fault 'expire-token, 403@3' --time-scale 60`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runSandbox(cmd.Context(), a, flags) },
	}
	cmd.Flags().StringVar(&flags.faults, "fault", "", "the faults to begin with, as a `LIST`; POST /faults changes them")
	cmd.Flags().Float64Var(&flags.timeScale, "time-scale", 1, "let time pass `N` times as fast: with 60, a token of an hour ends in a minute")
	cmd.Flags().StringVar(&flags.caOut, "ca-out", "", "write the root certificate to this `FILE` (default: sandbox-ca.pem in the state folder)")
	cmd.Flags().BoolVar(&flags.autoConsent, "auto-consent", false, "agree on the login pages at once, for scripts")
	cmd.Flags().BoolVar(&flags.oneConnection, "one-connection", true, "close the older of two connections of one device, as AVS does")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print one line of JSON on stdout when ready")
	cmd.Flags().StringVar(&flags.lwa, "lwa", "localhost:9751", "where Login with Amazon listens, an `ADDRESS` on loopback")
	cmd.Flags().StringVar(&flags.avs, "avs", "localhost:9752", "where AVS listens, an `ADDRESS` on loopback")
	cmd.Flags().StringVar(&flags.control, "control", "localhost:9750", "where the control API listens, an `ADDRESS` on loopback")
	return cmd
}

type sandboxReady struct {
	LWA     string `json:"lwa"`
	AVS     string `json:"avs"`
	Control string `json:"control"`
	CA      string `json:"ca"` // the file of the root certificate
}

func runSandbox(ctx context.Context, a *commands, flags sandboxFlags) error {
	ignoreBrokenPipe()
	options, err := flags.options()
	if err != nil {
		return terminal.Usage(err, "see 'avsproxy sandbox --help'")
	}
	listeners := &app.ListenerSet{Env: a.Environment}
	defer listeners.Close()
	if options.LWA, err = listeners.Open(ctx, flags.lwa); err != nil {
		return err
	}
	if options.AVS, err = listeners.Open(ctx, flags.avs); err != nil {
		return err
	}
	control, err := openControl(ctx, listeners, flags.control)
	if err != nil {
		return err
	}
	amazon, err := sandbox.Start(options)
	if err != nil {
		return terminal.Usage(err, "see 'avsproxy sandbox --help'")
	}
	defer amazon.Close()
	ready := sandboxReady{LWA: amazon.LWA(), AVS: amazon.AVS(), Control: api.LocalhostURL("http://" + control[0].Addr().String())}
	if ready.CA, err = writeSandboxCA(a, flags.caOut, amazon.RootPEM()); err != nil {
		return terminal.Failed(err, "choose another file with --ca-out")
	}
	server := httpserver.NewPages(controlGuard(amazon.Control()), httpserver.DiscardLog())
	defer server.Close()
	ended := httpserver.Serve(server, control, nil)
	announceSandbox(a, ready, flags.asJSON)
	select {
	case err := <-ended:
		return terminal.Failed(fmt.Errorf("the control API stopped: %w", err), "")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// openControl refuses addresses that other machines can reach.
func openControl(ctx context.Context, listeners *app.ListenerSet, addr string) ([]net.Listener, error) {
	lns, err := listeners.Open(ctx, addr)
	for _, ln := range lns {
		if addr, ok := ln.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
			return nil, terminal.Usage(fmt.Errorf("--control: the sandbox listens on loopback only, not on %s", ln.Addr()), "use localhost")
		}
	}
	return lns, err
}

func (f sandboxFlags) options() (sandbox.Options, error) {
	set := &faults.Set{}
	if err := set.Replace(f.faults); err != nil {
		return sandbox.Options{}, fmt.Errorf("--fault: %w", err)
	}
	if f.timeScale <= 0 {
		return sandbox.Options{}, fmt.Errorf("--time-scale: %v is not a positive number", f.timeScale)
	}
	return sandbox.Options{Faults: set, TimeScale: f.timeScale, AskConsent: !f.autoConsent, OneConnection: f.oneConnection}, nil
}

// controlGuard keeps web pages from changing what a test relies on.
func controlGuard(next http.Handler) http.Handler {
	return httpexchange.Guard(gate.Rules{
		Host: func(a exchange.Authority, d exchange.Listener) bool {
			return exchange.IsLocal(a.Host) && d.AcceptsPort(a)
		},
		Names: "use localhost with the control's port",
	}, nil, next)
}

func writeSandboxCA(a *commands, file string, pem []byte) (string, error) {
	if file == "" {
		folder := config.StateFolder(a.Getenv)
		if folder == "" {
			return "", errors.New("there is no state folder for the root certificate, because none of STATE_DIRECTORY, XDG_STATE_HOME and HOME names an absolute path")
		}
		if err := durable.MkdirPrivate(folder); err != nil {
			return "", err
		}
		file = filepath.Join(folder, "sandbox-ca.pem")
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, pem, 0o644)
}

func announceSandbox(a *commands, ready sandboxReady, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(a.stdout).Encode(ready) // a reader that is gone must not stop the sandbox
	}
	say := a.UI.Say
	say("avsproxy sandbox is ready: a stand-in for Amazon on this machine, nothing here is Amazon's")
	say("  login    %s/ap/oa and %s/auth/o2/token", ready.LWA, ready.LWA)
	say("  AVS      %s (HTTP/2 only)", ready.AVS)
	say("  control  %s", ready.Control)
	say("  root     %s", ready.CA)
	say("  client   id %s", sandbox.ClientID)
	say("           secret %s", sandbox.ClientSecret)
	say("Try:")
	say("  curl --data 'expire-token, 403@3' %s/faults", ready.Control)
	say("  curl %s/ledger", ready.Control)
}
