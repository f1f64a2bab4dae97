package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/certs"
	"avsproxy/internal/testkit"
)

// runStand starts an API whose host name does not resolve, and returns the environment in
// which "avsproxy run" sends clients to it.
func runStand(t *testing.T) (env []string, dir string) {
	t.Helper()
	upstream := testkit.TLSServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info/refs") { // what a git repository of plain files has
			fmt.Fprintf(w, "%s\trefs/heads/main\n", strings.Repeat("a", 40))
			return
		}
		if strings.HasSuffix(r.URL.Path, "/grpc") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		io.WriteString(w, "served to "+r.Header.Get("Authorization"))
	}), testkit.HTTP1)
	config := fmt.Sprintf("[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"api\"\nupstream = %q\nca_file = %q\nhosts = [%q]\n"+
		"credential = \"fixed\"\n[credential.fixed]\ngrant = \"static\"\ntoken = \"c4n4ry\"\n", upstream.URL, testkit.CertFile(t, upstream), insisted)
	dir = newHome(t, config)
	return []string{"HOME=" + dir, "NO_COLOR=1", "AVSPROXY_CONFIG=" + filepath.Join(dir, "config.toml"), "PATH=" + os.Getenv("PATH")}, dir
}

func runBuilt(env []string, argv ...string) string {
	cmd := exec.Command(binary, append([]string{"run", "--"}, argv...)...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return fmt.Sprintf("%s%v", out, err)
}

// These clients ask neither for the system's roots nor for SSL_CERT_FILE.
func TestRunServesClientsThatHaveTheirOwnRoots(t *testing.T) {
	const php = `$c = curl_init("https://` + insisted + `/x"); curl_setopt($c, CURLOPT_RETURNTRANSFER, true); echo curl_exec($c), curl_error($c);`
	for tool, test := range map[string]struct {
		argv []string
		want string
	}{
		"git":  {[]string{"git", "ls-remote", "https://" + insisted + "/repository"}, "refs/heads/main"},
		"wget": {[]string{"wget", "-qO-", "https://" + insisted + "/x"}, "served to Bearer c4n4ry"},
		"php":  {[]string{"php", "-r", php}, "served to Bearer c4n4ry"},
	} {
		t.Run(tool, func(t *testing.T) {
			testkit.NeedTool(t, tool)
			env, _ := runStand(t)
			if got := runBuilt(env, test.argv...); !strings.Contains(got, test.want) {
				t.Error(got)
			}
			if got := runBuilt(env, append([]string{binary, "run", "--"}, test.argv...)...); !strings.Contains(got, test.want) {
				t.Errorf("a command within a command: %s", got)
			}
		})
	}
}

// grpc-js, like all that is made of gRPC's C-core, asks a variable of gRPC's own.
func TestRunServesGRPC(t *testing.T) {
	testkit.Heavy(t)
	testkit.NeedTool(t, "node")
	grpc := testkit.NeedVariable(t, "GRPC_JS", "the path of @grpc/grpc-js, from npm install @grpc/grpc-js")
	env, _ := runStand(t)
	const call = `const grpc = require(process.env.GRPC_JS);
		const client = new grpc.Client("` + insisted + `:443", grpc.credentials.createSsl());
		client.makeUnaryRequest("/no/grpc", x => x, x => x, Buffer.from("x"), {deadline: Date.now() + 20000}, e => { console.log(e.details); client.close(); });`
	if got := runBuilt(append(env, "GRPC_JS="+grpc), "node", "-e", call); !strings.Contains(got, "HTTP status code 418") {
		t.Error(got)
	}
}

// A root that the person's own settings name is trusted by the command as before.
func TestRunKeepsTheRootsThatTheUserTrusts(t *testing.T) {
	var own []string
	folder := t.TempDir()
	for i := range 4 {
		authority := testkit.Must(certs.New(fmt.Sprint("own authority ", i)))(t)
		own = append(own, strings.TrimSpace(string(authority.RootPEM())))
		testkit.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprint(i, ".pem")), authority.RootPEM(), 0o600))
	}
	env, dir := runStand(t)
	state := filepath.Join(dir, ".local", "state", "avsproxy")
	testkit.NoError(t, os.WriteFile(filepath.Join(dir, ".wgetrc"), []byte("http_password = secret\nCA-Certificate = "+folder+"/3.pem"), 0o600))
	testkit.NoError(t, os.MkdirAll(filepath.Join(folder, "dir"), 0o700))
	testkit.NoError(t, os.Rename(filepath.Join(folder, "2.pem"), filepath.Join(folder, "dir", "2.pem")))
	env = append(env, "GIT_SSL_CAINFO="+folder+"/0.pem", "AWS_CA_BUNDLE="+folder+"/1.pem", "SSL_CERT_DIR="+filepath.Join(folder, "dir"), "PHP_INI_SCAN_DIR=/own")

	roots := filepath.Join(state, "ca-bundle.pem")
	told := runBuilt(env, "env")
	for _, name := range []string{"SSL_CERT_FILE", "GIT_SSL_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "PIP_CERT", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT"} {
		if !strings.Contains(told, "\n"+name+"="+roots+"\n") {
			t.Errorf("%s is not %s:\n%s", name, roots, told)
		}
	}
	for _, line := range []string{"SSL_CERT_DIR=" + folder + "/dir", "PHP_INI_SCAN_DIR=/own:" + state + "/php", "WGETRC=" + state + "/wgetrc"} {
		if !strings.Contains(told, line+"\n") {
			t.Errorf("no %s:\n%s", line, told)
		}
	}
	bundle := testkit.Must(os.ReadFile(roots))(t)
	ours := testkit.Must(os.ReadFile(filepath.Join(state, "ca.pem")))(t)
	for i, root := range append(own, strings.TrimSpace(string(ours))) {
		if !strings.Contains(string(bundle), root) {
			t.Errorf("root %d is not in the bundle", i)
		}
	}
	for range 2 { // also of a command within a command
		if text := runBuilt(env, binary, "run", "--", "cat", filepath.Join(state, "wgetrc")); text != "http_password = secret\nCA-Certificate = "+folder+"/3.pem\nca_certificate = "+roots+"\n<nil>" {
			t.Errorf("%q", text)
		}
	}
	if info, err := os.Stat(filepath.Join(state, "wgetrc")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}
