package cli

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
)

// levelDuringChild is what may appear on a terminal that is another program's.
const levelDuringChild = slog.LevelWarn

// childEnvironment is the environment of this process, with the proxy and its authority
// added.
func childEnvironment(ctx context.Context, a *commands, conf *config.Config, proxies []string) ([]string, error) {
	address, err := childAddress(proxies)
	if err != nil {
		return nil, err
	}
	files, err := writeTrust(ctx, a, conf)
	if err != nil {
		return nil, err
	}
	proxy := *address
	if !conf.Proxy.ClientKey.IsZero() {
		key, err := conf.Proxy.ClientKey.Resolve()
		if err != nil {
			return nil, terminal.Usage(err, "")
		}
		proxy.User = url.UserPassword("x", key.Reveal())
	}
	direct := noProxy(a, conf)
	env := append(os.Environ(), "AVSPROXY_URL="+api.LocalhostURL(address.String()))
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		env = append(env, name+"="+proxy.String())
	}
	for _, name := range rootVariables {
		env = append(env, name+"="+files.bundle)
	}
	return append(env,
		"NO_PROXY="+direct, "no_proxy="+direct,
		"NODE_EXTRA_CA_CERTS="+files.node,
		"WGETRC="+files.wget,
		"PHP_INI_SCAN_DIR="+phpFolders(a.Getenv("PHP_INI_SCAN_DIR"), files.php),
		"NODE_USE_ENV_PROXY=1", // Node heeds HTTP_PROXY where this is set, from 22.21 on
		"JAVA_TOOL_OPTIONS="+javaOptions(a.Getenv("JAVA_TOOL_OPTIONS"), address, files.java),
	), nil
}

// noProxy is the value of NO_PROXY: what was there, but for what would hide a route,
// and this machine.
func noProxy(a *commands, conf *config.Config) string {
	var list []string
	for _, entry := range strings.Split(a.Getenv("NO_PROXY")+","+a.Getenv("no_proxy"), ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" || slices.Contains(list, entry) {
			continue
		}
		if host := bypassedBy(entry, app.CertifiedHosts(conf)); host != "" {
			a.UI.Warn("NO_PROXY has "+entry+", which would lead around the route for "+host, "it is left out for this command")
			continue
		}
		list = append(list, entry)
	}
	for _, own := range []string{"localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(list, own) {
			list = append(list, own)
		}
	}
	return strings.Join(list, ",")
}

// bypassedBy returns the first host that an entry of NO_PROXY applies to. There is no
// standard: an entry means a host and its subdomains, in most clients with or
// without a dot or "*." before it, in some an address range.
func bypassedBy(entry string, hosts []app.RouteHost) string {
	block, notBlock := netip.ParsePrefix(entry)
	name, _, _ := strings.Cut(strings.ToLower(entry), ":")
	name = strings.TrimLeft(name, "*.")
	for _, h := range hosts {
		addr, notAddr := netip.ParseAddr(h.Host)
		inBlock := notBlock == nil && notAddr == nil && block.Contains(addr)
		if entry == "*" || inBlock || h.Host == entry || name != "" && strings.HasSuffix("."+h.Host, "."+name) {
			return h.Host
		}
	}
	return ""
}

// javaOptions follow those that are there, since the last one counts. Java asks
// neither for HTTP_PROXY nor for the system's roots.
func javaOptions(present string, proxy *url.URL, store string) string {
	options := []string{
		"-Dhttp.proxyHost=" + proxy.Hostname(), "-Dhttp.proxyPort=" + proxy.Port(),
		"-Dhttps.proxyHost=" + proxy.Hostname(), "-Dhttps.proxyPort=" + proxy.Port(),
		`"-Djavax.net.ssl.trustStore=` + filepath.ToSlash(store) + `"`,
		"-Djavax.net.ssl.trustStoreType=PKCS12", "-Djavax.net.ssl.trustStorePassword=" + javaPassword,
	}
	return strings.TrimSpace(present + " " + strings.Join(options, " "))
}

// Settings of clients that ask no variable for a file of roots, but for one of settings.

// ownWgetrc is the person's own settings of wget, which WGETRC takes the place of.
func ownWgetrc(a *commands) []byte {
	path := a.Getenv("WGETRC")
	if path == "" {
		path = filepath.Join(a.Getenv("HOME"), ".wgetrc")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // wget does without, too
	}
	return text
}

// Names in wgetrc may have any case, and hyphens for underscores or none.
var wgetRootsLine = regexp.MustCompile(`(?im)^[ \t]*ca[_-]?certificate[ \t]*=[ \t]*(.*?)[ \t\r]*$`)

// wgetRoots are the files of roots that these settings name.
func wgetRoots(a *commands) (paths []string) {
	for _, match := range wgetRootsLine.FindAllSubmatch(ownWgetrc(a), -1) {
		paths = append(paths, string(match[1]))
	}
	return paths
}

// wgetrc is the user's settings followed by the line for our roots: the last one counts.
func wgetrc(a *commands, files trustFiles) []byte {
	own := ownWgetrc(a)
	ours := []byte("ca_certificate = " + files.bundle + "\n")
	if a.Getenv("WGETRC") == files.wget { // in a command within a command
		return own
	}
	if len(own) > 0 && own[len(own)-1] != '\n' {
		own = append(own, '\n')
	}
	return append(own, ours...)
}

func phpSettings(folder string) string { return filepath.Join(folder, "avsproxy.ini") }

func phpIni(bundle string) []byte {
	return []byte("curl.cainfo = \"" + filepath.ToSlash(bundle) + "\"\n")
}

// phpFolders adds our folder to those where PHP looks for settings. An empty one is PHP's own.
func phpFolders(present, own string) string {
	if slices.Contains(filepath.SplitList(present), own) {
		return present
	}
	return present + string(os.PathListSeparator) + own
}
