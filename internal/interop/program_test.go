package interop

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

// A program is the command as it is shipped, with a folder of its own.
type program struct {
	binary, folder string
	env            []string
}

// install builds the program and configures it for the provider, which is also
// its upstream.
func install(t *testing.T, server *httptest.Server, redirect string) *program {
	t.Helper()
	return installWith(t, server, fmt.Sprintf(`
[[route]]
name = "x"
upstream = %[1]q
credential = "x"
[credential.x]
provider = "oauth2"
grant = "authorization_code"
client_id = "secret"
client_secret = "s3cret"
auth_url = "%[1]s/auth"
token_url = "%[1]s/oauth/token"
redirect_url = %[2]q
scopes = ["openid", "offline_access"]
`, server.URL, redirect))
}

// installWith builds the program and configures its routes and credentials. The
// server's root is known to it only by SSL_CERT_FILE.
func installWith(t *testing.T, server *httptest.Server, config string) *program {
	t.Helper()
	folder := t.TempDir()
	p := &program{binary: filepath.Join(folder, "avsproxy"), folder: folder}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.binary, "./cmd/avsproxy")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	testkit.NoError(t, os.WriteFile(filepath.Join(folder, "config.toml"), fmt.Appendf(nil, `
sandbox = false
proxy.listen = "localhost:0"
console.listen = "localhost:0"
store.path = %q
`+config, folder), 0o600))
	p.env = append(os.Environ(), "SSL_CERT_FILE="+testkit.CertFile(t, server), "AVSPROXY_CONFIG="+filepath.Join(folder, "config.toml"))
	return p
}

// serve starts "serve" and returns the port of its proxy.
func (p *program) serve(t *testing.T) (port string) {
	t.Helper()
	ready, _ := p.start(t, "serve", "--json")
	var addresses struct{ Proxy []string }
	testkit.NoError(t, json.Unmarshal([]byte(ready), &addresses))
	address := testkit.Must(url.Parse(addresses.Proxy[0]))(t)
	return address.Port()
}

// start runs a command of the program and returns its first line; end waits for it
// and returns what it told the person. When the test ends it is interrupted.
func (p *program) start(t *testing.T, args ...string) (line string, end func() string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.binary, args...)
	cmd.Env, cmd.Dir = p.env, p.folder
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	testkit.NoError(t, err)
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Wait() })
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Wait()
		t.Fatalf("%v: %s", args, words.String())
	}
	return strings.TrimSpace(line), func() string {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v: %s", args, err, words.String())
		}
		return words.String()
	}
}

func freeRedirect(t *testing.T) string {
	t.Helper()
	listener := testkit.Must(net.Listen("tcp", "localhost:0"))(t)
	defer listener.Close()
	return fmt.Sprintf("https://localhost:%d/authresponse", listener.Addr().(*net.TCPAddr).Port)
}

// call goes to the program's own callback, whose certificate is its own too.
func call(t *testing.T, callback *url.URL) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp := testkit.Must((&http.Client{Transport: transport}).Get(callback.String()))(t)
	if page := testkit.Body(t, resp); resp.StatusCode != 200 {
		t.Fatalf("%s: %s", resp.Status, page)
	}
}

func TestProgramFromLoginToInjectedToken(t *testing.T) {
	redirect := freeRedirect(t)
	server := startProvider(t, redirect)
	p := install(t, server, redirect)

	authURL, end := p.start(t, "login", "--no-browser")
	call(t, newBrowser(t, server).login(t, authURL))
	if words := end(); !strings.Contains(words, "logged in to x") {
		t.Error(words)
	}

	first, end := p.start(t, "token")
	end()
	renewed, end := p.start(t, "token", "--min-ttl", "4m59.9s")
	end()
	if first == renewed {
		t.Error("not renewed")
	}
	checkToken(t, server, tokens.Token{Access: tokens.Secret(renewed)})

	resp := testkit.Must(http.Get("http://localhost:" + p.serve(t) + "/userinfo"))(t) // knows no token
	if body := testkit.Body(t, resp); resp.StatusCode != 200 || !strings.Contains(body, `"sub"`) {
		t.Errorf("%s: %s", resp.Status, body)
	}
}
