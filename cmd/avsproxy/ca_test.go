package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/certs"
	"avsproxy/internal/httpserver"
	"avsproxy/internal/testkit"
)

// TestSystemTrust changes the store of the system it runs on, so it runs only where
// that is there for tests, and takes back what it did.
func TestSystemTrust(t *testing.T) {
	if os.Getenv("CI") == "" || os.Getuid() != 0 {
		t.Skip("changes the system's store: for root with CI set")
	}
	testkit.NeedTool(t, "curl", "update-ca-certificates")
	work := t.TempDir()
	config := filepath.Join(work, "config.toml")
	testkit.NoError(t, os.WriteFile(config, []byte("[[route]]\nname = \"api\"\nupstream = \"https://api.example.com\"\n"), 0o600))
	ca := func(verb string) string {
		cmd := exec.Command(binary, "--config", config, "ca", verb)
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+work)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("ca %s: %v\n%s", verb, err, out)
		}
		return string(out)
	}
	state := filepath.Join(work, "avsproxy")
	ca("path")
	address := serveBy(t, state)
	reach := func() error {
		return exec.Command("curl", "-sS", "--noproxy", "*", "-o", os.DevNull, address).Run()
	}
	if reach() == nil {
		t.Error("it is trusted before 'ca trust'")
	}
	t.Cleanup(func() {
		ca("untrust")
		// Debian's tool leaves links behind that lead nowhere, until something is added.
		exec.Command("find", "/etc/ssl/certs", "-xtype", "l", "-delete").Run()
	})
	t.Log(ca("trust"))
	if err := reach(); err != nil {
		t.Errorf("after 'ca trust': %v", err)
	}
	for _, name := range []string{certs.RootFile, "ca-key.pem"} { // what was trusted is known all the same
		testkit.NoError(t, os.Remove(filepath.Join(state, name)))
	}
	t.Log(ca("untrust"))
	if reach() == nil {
		t.Error("it is trusted after 'ca untrust'")
	}
	ca("path") // for the clean-up
}

// serveBy answers over TLS with a leaf of the authority in the folder.
func serveBy(t *testing.T, state string) (address string) {
	t.Helper()
	authority := testkit.Must(certs.Open(state))(t)
	ln := testkit.Listen(t)
	server := httpserver.New(http.NotFoundHandler(), httpserver.DiscardLog())
	httpserver.Serve(server, []net.Listener{ln}, authority.ServerConfig())
	t.Cleanup(func() { server.Close() })
	return "https://localhost:" + app.PortOf(ln.Addr().String()) + "/"
}
