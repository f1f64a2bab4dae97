package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/doctor"
	"avsproxy/internal/terminal"

	"github.com/spf13/cobra"
)

func doctorCommand(a *commands) *cobra.Command {
	var live, asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps requests from their upstreams",
		Long: `Look for what keeps requests from their upstreams: in the configuration, on this
machine, at the upstreams and at the providers. Each line is ok, warn or fail, says
what was seen, and what to do next. Nothing is changed, and no token is sent.

With --live each credential is renewed, and each route that has a 'probe' gets that
request, with its token. It ends with 1 where something failed.`,
		Example: "  avsproxy doctor\n  avsproxy doctor --live --json",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := a.examine(cmd.Context(), live)
			print := doctor.Print
			if asJSON {
				print = func(out io.Writer, found []doctor.Finding) error {
					return indented(out, map[string]any{"findings": found})
				}
			}
			if err := print(a.stdout, found); err != nil || !doctor.Failed(found) {
				return err
			}
			return &terminal.ExitError{Code: terminal.ExitFailed} // the lines say why
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "renew each credential, and send the probe of each route")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

// examine does all checks. What cannot be looked at, for another check failed, is left out.
func (a *commands) examine(ctx context.Context, live bool) []doctor.Finding {
	conf, err := a.load(ctx, config.Load)
	if err != nil {
		return append(append(doctor.BadConfiguration(err, hintOf(err)), doctor.Families()...), doctor.Files(app.OpenFiles()))
	}
	daemon := app.FindDaemon(ctx, a.Environment, conf)
	found := slices.Concat(
		doctor.Configuration(conf, loadedAt(conf, daemon)), doctor.SecretFiles(conf), doctor.Store(ctx, conf),
		[]doctor.Finding{doctor.Serving(daemon)}, doctor.Families(), doctor.Names(ctx, conf), doctor.Ports(ctx, conf, pidOf(daemon)),
		doctor.ProxyVariables(a.Getenv, app.ListenedAt(conf)), []doctor.Finding{doctor.Files(app.OpenFiles())}, authority(conf),
	)
	if conf.Sandbox && daemon == nil {
		return append(found, doctor.NoSandbox())
	}
	program, err := buildBeside(ctx, a, conf)
	if err != nil {
		return append(found, doctor.BadConfiguration(err, hintOf(err))...)
	}
	upstreams, err := program.Upstreams()
	if err != nil {
		return append(found, doctor.BadConfiguration(err, hintOf(err))...)
	}
	found = append(found, doctor.SharedStore(program.Store())...)
	found = append(found, doctor.Upstreams(ctx, upstreams)...)
	found = append(found, doctor.Providers(ctx, program.Providers())...)
	if live {
		found = append(found, renewAll(ctx, conf, program)...)
	}
	status, err := getStatus(ctx, a, conf, daemon)
	if err != nil {
		return append(found, doctor.Finding{Check: "credentials", Level: doctor.Fail, Seen: err.Error(), Next: hintOf(err)})
	}
	found = append(found, doctor.Credentials(status, func(name string) string {
		return terminal.LoginCommand(name, defaultCredential(status.Routes), false)
	})...)
	if live {
		found = append(found, a.probeAll(ctx, conf, daemon)...)
	}
	return found
}

// loadedAt is when a running proxy read the file; zero = it did not.
func loadedAt(conf *config.Config, daemon *api.Daemon) time.Time {
	if daemon == nil {
		return time.Time{}
	}
	info, err := os.Stat(api.RunFilePath(conf.Store.Path)) // written once it serves
	if path, bad := filepath.Abs(conf.File); err != nil || bad != nil || path != daemon.Config {
		return time.Time{}
	}
	return info.ModTime()
}

func pidOf(daemon *api.Daemon) int {
	if daemon == nil {
		return 0
	}
	return daemon.PID
}

// authority is about this installation's root, and who trusts it.
func authority(conf *config.Config) []doctor.Finding {
	root, err := readCertificate(rootPath(conf))
	return append([]doctor.Finding{doctor.Authority(rootPath(conf), root, err)}, doctor.TrustStores(root)...)
}

// renewAll renews each credential that can be.
func renewAll(ctx context.Context, conf *config.Config, program *app.Program) (all []doctor.Finding) {
	defer program.AwaitRenewals()
	for _, credential := range program.Credentials() {
		f := doctor.Finding{Check: "renewal of " + credential.Conf.Name, Level: doctor.OK}
		if conf.Store.Kind == "memory" && credential.Client != nil {
			f.Seen = "not tried: the store is memory, and only the running proxy knows the login"
		} else if err := renew(ctx, credential); err != nil {
			f.Level, f.Seen, f.Next = doctor.Fail, err.Error(), hintOf(err)
		} else {
			f.Seen = terminal.TokenText(credential.Source.Status())
		}
		all = append(all, f)
	}
	return all
}

func renew(ctx context.Context, credential *app.Credential) error {
	if err := openSource(credential); err != nil {
		return err
	}
	_, err := credential.Source.Fresh(ctx, forceRenewal)
	return err
}

// forceRenewal is longer than any access token lives.
const forceRenewal = 100 * 365 * 24 * time.Hour

// probeAll sends the probe of each route through the running proxy, or one that lives as long.
func (a *commands) probeAll(ctx context.Context, conf *config.Config, daemon *api.Daemon) (all []doctor.Finding) {
	if !slices.ContainsFunc(conf.Routes, func(r config.Route) bool { return r.Probe != "" }) {
		return nil
	}
	if daemon == nil {
		own, err := serveChild(ctx, a)
		if err != nil {
			return doctor.BadConfiguration(err, hintOf(err))
		}
		defer own.Close()
		daemon = own.Daemon()
	}
	address, err := childAddress(daemon.Proxy)
	if err != nil {
		return doctor.BadConfiguration(err, hintOf(err))
	}
	key, err := conf.Proxy.ClientKey.Resolve()
	if err != nil {
		return doctor.BadConfiguration(err, hintOf(err))
	}
	for _, route := range conf.Routes {
		if route.Probe != "" {
			all = append(all, doctor.Probe(ctx, address, key, route))
		}
	}
	return all
}
