package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"avsproxy/internal/certs"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"

	"github.com/elazarl/goproxy"
)

// An oldHome is a copy of the folder that 22a602f left, with a provider that takes the
// tokens in it. See tokens/testdata/state-22a602f/README.md.
type oldHome struct {
	t   *testing.T
	dir string
	env []string

	mu   sync.Mutex
	seen []string // what came to the token endpoint: fingerprints of refresh tokens, or else the grant
}

func openOldHome(t *testing.T) *oldHome {
	t.Helper()
	h := &oldHome{t: t, dir: filepath.Join(t.TempDir(), "old")}
	testkit.NoError(t, os.CopyFS(h.dir, os.DirFS("../../tokens/testdata/state-22a602f")))
	testkit.NoError(t, filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error { // git keeps no modes
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	}))
	h.env = []string{"HOME=" + h.dir, "NO_COLOR=1", "PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=" + h.provider()}
	return h
}

// provider starts lwa.example, and returns the proxy that leads there.
func (h *oldHome) provider() string {
	authority := testkit.Must(certs.New("provider", "lwa.example"))(h.t)
	leaf, err := authority.Leaf(time.Hour, "lwa.example")
	if err == nil {
		err = os.WriteFile(filepath.Join(h.dir, "provider.pem"), authority.RootPEM(), 0o600)
	}
	testkit.NoError(h.t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(h.answer))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	server.StartTLS()
	h.t.Cleanup(server.Close)
	way := goproxy.NewProxyHttpServer()
	way.Logger = log.New(io.Discard, "", 0)
	way.ConnectDial = func(network, _ string) (net.Conn, error) { return net.Dial(network, server.Listener.Addr().String()) }
	proxy := httptest.NewServer(way)
	h.t.Cleanup(proxy.Close)
	return proxy.URL
}

func (h *oldHome) answer(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what := r.PostFormValue("grant_type")
	if refresh := r.PostFormValue("refresh_token"); refresh != "" {
		what = tokens.Fingerprint(tokens.Secret(refresh))
	}
	h.seen = append(h.seen, what)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token": "new-%s", "token_type": "bearer", "expires_in": 86400, "refresh_token": "refresh-%s"}`, what, what)
}

// saw returns what came to the token endpoint since it was asked last.
func (h *oldHome) saw() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := h.seen
	h.seen = nil
	return seen
}

func (h *oldHome) run(args ...string) (stdout, stderr string, code int) {
	cmd := exec.Command(binary, args...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = h.dir, h.env, &out, &said
	cmd.Run()
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// TestStateFolderOfAnEarlyVersionIsUsed has the built program go on from a configuration and a state folder
// that an early version wrote, with every login that is in it.
func TestStateFolderOfAnEarlyVersionIsUsed(t *testing.T) {
	h := openOldHome(t)
	root := testkit.Must(os.ReadFile(filepath.Join(h.dir, "state", "ca.pem")))(t)
	if out, said, code := h.run("config", "check"); code != terminal.ExitDone || !strings.Contains(out, "8 routes, 8 credentials") {
		t.Fatalf("config check: %d\n%s%s", code, out, said)
	}
	status, said, _ := h.run("status")
	if strings.Contains(status, "nobody has logged in") || strings.Count(status, "credential ") != 16 || !strings.Contains(status, "not running") {
		t.Errorf("status:\n%s%s", status, said)
	}
	for name, want := range map[string]string{
		"plain": "0542966f510f5fff", "marked": "36ca0a4974cbfad7", "halfway": "874addce117cf1f0", "damaged": "1338bedb959e146e",
		"imported": "eb78b88698c7f803", "configured": "6c719b94bcfe649e", "robot": "client_credentials",
	} {
		out, said, code := h.run("token", name, "--min-ttl", "2h") // more than any of them lives
		if seen := h.saw(); code != terminal.ExitDone || out != "new-"+want+"\n" || len(seen) != 1 || seen[0] != want {
			t.Errorf("token %s: %d, %q, the provider saw %v; want %s\n%s", name, code, out, seen, want, said)
		}
	}
	if _, said, code := h.run("token", "refused", "--min-ttl", "2h"); code != terminal.ExitLogin || len(h.saw()) != 0 {
		t.Errorf("token refused: %d\n%s", code, said)
	}
	if _, said, code := h.run("ca", "path"); code != terminal.ExitDone || strings.Contains(said, "anew") {
		t.Errorf("ca path: %d\n%s", code, said)
	}
	if after, err := os.ReadFile(filepath.Join(h.dir, "state", "ca.pem")); err != nil || !bytes.Equal(after, root) {
		t.Errorf("the root changed: %v", err)
	}
}
