package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"avsproxy/internal/app"
	"avsproxy/internal/certs"
	"avsproxy/internal/charset"
	"avsproxy/internal/config"
	"avsproxy/internal/doctor"
	"avsproxy/internal/durable"
	"avsproxy/internal/terminal"

	"github.com/smallstep/truststore"
	"github.com/spf13/cobra"
)

func caCommand(a *commands) *cobra.Command {
	parent := &cobra.Command{
		Use:   "ca",
		Short: "Look after the certificate authority of this installation",
		Long: `Look after the certificate authority that signs for https://localhost:9744 and, to
clients that are sent here by HTTPS_PROXY, for the hosts of the routes. It was made
on this machine, can sign for these names alone (critical name constraints), and its
key does not leave the state folder. Nothing has to trust it; 'avsproxy run' gives
it to one command at a time.

Use 'trust' and 'untrust' as yourself, not under sudo: they call sudo where they
need it.`,
		Example: `  curl --cacert "$(avsproxy ca path)" https://localhost:9744/ping
  avsproxy ca trust`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var stores storeFlags
	trust := caSubcommand(a, "trust", "Add the root certificate to the system's store", stores.trust)
	untrust := caSubcommand(a, "untrust", "Remove the root certificate from the system's store", stores.untrust)
	stores.add(trust)
	stores.add(untrust)
	parent.AddCommand(caSubcommand(a, "path", "Print the file of the root certificate, which is made if there is none", caPath), trust, untrust)
	return parent
}

// storeFlags say which stores are meant.
type storeFlags struct{ browsers, java, noSystem bool }

func (f *storeFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.browsers, "browsers", false, "also the NSS databases of Firefox and Chrome, by certutil (Debian: libnss3-tools)")
	cmd.Flags().BoolVar(&f.java, "java", false, "also the store of the Java in JAVA_HOME")
	cmd.Flags().BoolVar(&f.noSystem, "no-system", false, "leave the system's store as it is, which needs no root")
	cmd.Example += " --browsers"
}

// options are those of the library. Stores that this machine does not have are an error: they were asked for.
func (f *storeFlags) options() ([]truststore.Option, error) {
	options := []truststore.Option{truststore.WithPrefix(doctor.TrustName)}
	if f.noSystem && !f.browsers && !f.java {
		return nil, terminal.Usage(errors.New("--no-system leaves no store to change"), "name others, with --browsers or --java")
	}
	if f.noSystem {
		options = append(options, truststore.WithNoSystem())
	}
	if f.browsers {
		nss, err := truststore.NewNSSTrust()
		if err == nil {
			err = nss.PreCheck()
		}
		if err != nil {
			return nil, terminal.Failed(fmt.Errorf("the browsers' stores cannot be changed: %w", err), "install certutil (Debian: libnss3-tools), and start the browser once, which makes its store")
		}
		options = append(options, truststore.WithTrust(nss))
	}
	if f.java {
		java, err := truststore.NewJavaTrust()
		if err != nil {
			return nil, terminal.Failed(fmt.Errorf("the store of Java cannot be changed: %w", err), "set JAVA_HOME to the folder of the Java that is meant")
		}
		options = append(options, truststore.WithTrust(java))
	}
	return options, nil
}

// names are the stores that are meant, in words.
func (f *storeFlags) names() string {
	var names []string
	for _, store := range []struct {
		meant bool
		name  string
	}{{!f.noSystem, "the system's store"}, {f.browsers, "the browsers' stores"}, {f.java, "the store of Java"}} {
		if store.meant {
			names = append(names, store.name)
		}
	}
	return strings.Join(names, " and ")
}

func caSubcommand(a *commands, name, short string, run func(context.Context, *commands, *config.Config) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Example: "  avsproxy ca " + name, Args: arguments(),
		RunE: a.configured(config.LoadWithoutSecrets, func(ctx context.Context, a *commands, conf *config.Config, _ string) error {
			if a.Temporary {
				return terminal.Failed(errors.New("there is no state folder that the certificate authority could be in"), "set path in [store], STATE_DIRECTORY or HOME")
			}
			return run(ctx, a, conf)
		}),
	}
}

func rootPath(conf *config.Config) string { return filepath.Join(conf.Store.Path, certs.RootFile) }

// trustedPath is a copy of what was put into the system's store, since the root
// itself may be replaced or lost.
func trustedPath(conf *config.Config) string {
	return filepath.Join(conf.Store.Path, app.TrustedName)
}

func caPath(ctx context.Context, a *commands, conf *config.Config) error {
	if _, err := app.OpenAuthority(ctx, a.Environment, conf); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, rootPath(conf))
	return err
}

func (f *storeFlags) trust(ctx context.Context, a *commands, conf *config.Config) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	authority, err := app.OpenAuthority(ctx, a.Environment, conf)
	if err != nil {
		return err
	}
	f.announceSudo(a)
	if former, err := readCertificate(trustedPath(conf)); err == nil && !former.Equal(authority.Root()) {
		if err := truststore.Uninstall(former, options...); err != nil {
			return f.failed(conf, "removing the former root from", err)
		}
	}
	if err := truststore.Install(authority.Root(), options...); err != nil {
		return f.failed(conf, "adding the root to", err)
	}
	if err := durable.WriteFile(trustedPath(conf), authority.RootPEM(), 0o644); err != nil {
		return terminal.Failed(fmt.Errorf("the root is trusted now, but this could not be noted: %w", err), "")
	}
	a.UI.Say("avsproxy: %s is trusted by %s now", authority.Root().Subject.CommonName, f.names())
	a.UI.Say("  it can sign for %s", strings.Join(authority.Root().PermittedDNSDomains, ", "))
	a.UI.Say("  SHA-256 %s", certs.Fingerprint(authority.Root()))
	listOtherStores(a, rootPath(conf))
	return nil
}

func (f *storeFlags) untrust(_ context.Context, a *commands, conf *config.Config) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	root, err := readCertificate(trustedPath(conf))
	if errors.Is(err, fs.ErrNotExist) {
		root, err = readCertificate(rootPath(conf))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return terminal.Failed(fmt.Errorf("there is no root in %s, so nothing says what the system's store may have of it", conf.Store.Path), "to remove one by hand: "+manualCommand(rootPath(conf), false))
	}
	if err != nil {
		return terminal.Failed(err, "to remove the root by hand: "+manualCommand(rootPath(conf), false))
	}
	f.announceSudo(a)
	if err := truststore.Uninstall(root, options...); err != nil {
		return f.failed(conf, "removing the root from", err)
	}
	if err := os.Remove(trustedPath(conf)); !f.noSystem && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return terminal.Failed(err, "")
	}
	a.UI.Say("avsproxy: %s is not trusted by %s any more", root.Subject.CommonName, f.names())
	a.UI.Say("If you added it to other trust stores, remove it there: keytool -delete -alias avsproxy -cacerts -storepass changeit")
	a.UI.Say("and, in Firefox, about:preferences#privacy, View Certificates, Authorities, Delete.")
	return nil
}

// announceSudo prepares the person for a question by sudo.
func (f *storeFlags) announceSudo(a *commands) {
	if os.Getuid() > 0 && !f.noSystem {
		a.UI.Say("Changing the system's store needs root: sudo may ask for your password.")
	}
}

// listOtherStores says how to add the root to tools that ignore the system's store.
func listOtherStores(a *commands, root string) {
	quoted := terminal.ShellQuote(root)
	a.UI.Say("Tools with a store of their own ('avsproxy run -- CMD' sets all but the last for one command):")
	a.UI.Say("  curl     curl --cacert %s, or CURL_CA_BUNDLE=%s", quoted, quoted)
	a.UI.Say("  Python   SSL_CERT_FILE=%s REQUESTS_CA_BUNDLE=%s", quoted, quoted)
	a.UI.Say("  Node     NODE_EXTRA_CA_CERTS=%s", quoted)
	a.UI.Say("  Java     keytool -importcert -noprompt -alias avsproxy -cacerts -storepass changeit -file %s", quoted)
	a.UI.Say("  Firefox  about:preferences#privacy, View Certificates, Authorities, Import")
}

func readCertificate(path string) (*x509.Certificate, error) {
	if _, err := durable.ReadFile(path, app.MaxPEM); err != nil { // what is no file would hold up the next step
		return nil, err
	}
	cert, err := truststore.ReadCertificate(path)
	if err != nil {
		return nil, fmt.Errorf("%s is not a certificate: %w", path, err)
	}
	return cert, nil
}

// storeFailed adds what the system's own tool said, and the way around it.
func (f *storeFlags) failed(conf *config.Config, doing string, err error) error {
	text := err.Error()
	var tool *truststore.CmdError
	if errors.As(err, &tool) {
		if said := strings.TrimSpace(string(tool.Out())); said != "" {
			text += ": " + charset.Printable(said)
		}
	}
	hint := "as root by hand: " + manualCommand(rootPath(conf), strings.HasPrefix(doing, "adding"))
	if f.noSystem {
		hint = ""
	}
	return terminal.Failed(fmt.Errorf("%s %s: %s", doing, f.names(), text), hint)
}

// manualCommand is how a person changes the store without us.
func manualCommand(root string, add bool) string {
	root = terminal.ShellQuote(root)
	switch {
	case runtime.GOOS == "darwin" && add:
		return "sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain " + root
	case runtime.GOOS == "darwin":
		return "Keychain Access, System, 'avsproxy local authority', Delete"
	case runtime.GOOS == "windows" && add:
		return "certutil -addstore -f ROOT " + root
	case runtime.GOOS == "windows":
		return "certlm.msc, Trusted Root Certification Authorities, 'avsproxy local authority', Delete"
	case add:
		return "cp " + root + " /usr/local/share/ca-certificates/avsproxy.crt && update-ca-certificates (Debian), or trust anchor " + root + " (Fedora, Arch)"
	}
	return "rm /usr/local/share/ca-certificates/avsproxy* && update-ca-certificates (Debian), or trust list and trust anchor --remove (Fedora, Arch)"
}
