package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"avsproxy/internal/cli"
	"avsproxy/internal/sandbox"
	"avsproxy/internal/testkit"
)

// tryLogin strikes a login: by a code where the fault is about those, else by
// browser.
func tryLogin(t *testing.T, fault string) []string {
	amazon := testkit.Must(sandbox.Start(sandbox.Options{TimeScale: 10}))(t) // a poll each 5 s, not each 30 s
	t.Cleanup(func() { amazon.Close() })
	testkit.NoError(t, amazon.Faults().Replace(fault+"@1"))
	dir, config := t.TempDir(), amazonConfig(t, amazon)
	args := []string{"login", "--no-browser"}
	if !byBrowser(fault) {
		args[1] = "--device"
		config += "device_url = \"" + amazon.LWA() + "/auth/O2/create/codepair\"\n"
	}
	file := filepath.Join(dir, "config.toml")
	testkit.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	env := map[string]string{"HOME": dir, "AVSPROXY_CONFIG": file, "NO_COLOR": "1"}
	out, in := io.Pipe()
	said := testkit.NewBuffer()
	var browsing sync.WaitGroup
	browsing.Go(func() { followURL(t, amazon, filepath.Join(dir, ".local", "state", "avsproxy", "ca.pem"), out) })
	code := cli.Run(t.Context(), args, func(name string) string { return env[name] }, http.NoBody, in, said)
	in.Close()
	browsing.Wait()
	return []string{"`" + lastWords(said.String()) + "`", strconv.Itoa(code)}
}

func byBrowser(fault string) bool {
	return strings.HasPrefix(fault, "authorize=") || fault == "access_denied"
}

// followURL is the browser: it opens the URL that the command prints.
func followURL(t *testing.T, amazon *sandbox.Sandbox, own string, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "https://") {
			continue
		}
		roots := amazon.Pool()
		if pem, err := os.ReadFile(own); err == nil {
			roots.AppendCertsFromPEM(pem)
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
		resp, err := client.Get(lines.Text())
		if err != nil {
			t.Error(err)
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// lastWords is how the command ended, in one line.
func lastWords(said string) string {
	if at := strings.Index(said, "avsproxy: "); at >= 0 {
		said = said[at:]
	}
	return strings.Join(strings.Fields(said), " ")
}
