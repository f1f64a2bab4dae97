//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
)

// startUnread starts a command of the built program whose stdout and stderr, or one of
// them, are one pipe; the test reads its first line and leaves.
func startUnread(t *testing.T, dir string, stdout, stderr bool, args ...string) (cmd *exec.Cmd, first string) {
	t.Helper()
	read, write, err := os.Pipe()
	testkit.NoError(t, err)
	cmd = exec.Command(binary, args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	if stdout {
		cmd.Stdout = write
	}
	if stderr {
		cmd.Stderr = write
	}
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	write.Close()
	first, err = bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatalf("nothing was said: %v", err)
	}
	read.Close()
	return cmd, first
}

// inSandbox is a home with a configuration for the sandbox, and where run.json is then.
func inSandbox(t *testing.T) (dir, runFile string) {
	t.Helper()
	config := "sandbox = true\n[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n" +
		"[[route]]\nname = \"avs\"\npreset = \"avs\"\nupstream = \"https://alexa.na.gateway.devices.a2z.com\"\ncredential = \"alexa\"\n[credential.alexa]\nprovider = \"amazon\"\n"
	dir = newHome(t, config)
	return dir, filepath.Join(dir, ".local", "state", "avsproxy", "run.json")
}

func TestServeGoesOnWhenTheReaderOfItsLogLeaves(t *testing.T) {
	for _, c := range []struct {
		name           string
		stdout, stderr bool
		args           []string
	}{
		{"both", true, true, []string{"serve"}},
		{"stdout", true, false, []string{"serve", "--json"}},
		{"stderr", false, true, []string{"serve", "--json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, left := inSandbox(t)
			cmd, _ := startUnread(t, dir, c.stdout, c.stderr, c.args...)
			var running api.RunFile
			text, err := os.ReadFile(left)
			if err == nil {
				err = json.Unmarshal(text, &running)
			}
			testkit.NoError(t, err)
			for range 20 { // each is a line of the log
				resp := testkit.Must(http.Get(running.Proxy[0] + "/ping"))(t)
				resp.Body.Close()
				if resp.StatusCode != http.StatusNoContent {
					t.Fatalf("got %s", resp.Status)
				}
			}
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("serve: %v", err)
			}
			if _, err := os.Stat(left); !os.IsNotExist(err) {
				t.Errorf("run.json is still there: %v", err)
			}
		})
	}
}

// A login ends by its callback, whoever has stopped to listen to what it says.
func TestLoginGoesOnWhenTheReaderOfItsOutputLeaves(t *testing.T) {
	config := "[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"a\"\nupstream = \"https://a.example\"\ncredential = \"a\"\n" +
		"[credential.a]\nprovider = \"oauth2\"\nauth_url = \"https://a.example/authorize\"\ntoken_url = \"https://a.example/token\"\nclient_id = \"x\"\nredirect_url = \"http://localhost:0/back\"\n"
	dir := newHome(t, config)
	said, saying, err := os.Pipe()
	testkit.NoError(t, err)
	cmd := exec.Command(binary, "login", "--no-browser")
	cmd.Dir, cmd.Env, cmd.Stderr = dir, []string{"HOME=" + dir}, saying
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	testkit.NoError(t, err)
	saying.Close()
	line := testkit.Must(bufio.NewReader(stdout).ReadString('\n'))(t)
	said.Close()
	authorize := testkit.Must(url.Parse(strings.TrimSpace(line)))(t)
	asked := authorize.Query()
	get(t, asked.Get("redirect_uri")+"?"+url.Values{"state": {asked.Get("state")}, "error": {"access_denied"}}.Encode())
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != terminal.ExitFailed {
		t.Errorf("the login ended with %v", cmd.ProcessState)
	}
}

// Commands whose whole work is to print end with their reader, as others do.
func TestTokenEndsWhenTheReaderOfItsOutputLeaves(t *testing.T) {
	config := "[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"a\"\nupstream = \"https://a.example\"\ncredential = \"a\"\n[credential.a]\ngrant = \"static\"\ntoken = \"t\"\n"
	dir := newHome(t, config)
	read, write, err := os.Pipe()
	testkit.NoError(t, err)
	read.Close()
	cmd := exec.Command(binary, "token")
	cmd.Dir, cmd.Env, cmd.Stdout = dir, []string{"HOME=" + dir}, write
	cmd.Run()
	write.Close()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGPIPE {
		t.Errorf("token ended with %v", cmd.ProcessState)
	}
}

// After a second signal or a kill run.json can stay behind. Commands then see that no server runs.
func TestStatusIgnoresTheRunFileOfAKilledServe(t *testing.T) {
	dir, left := inSandbox(t)
	status := func() string {
		cmd := exec.Command(binary, "status")
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	cmd, _ := startUnread(t, dir, true, false, "serve", "--json")
	cmd.Process.Kill()
	cmd.Wait()
	testkit.Must(os.Stat(left))(t)
	if out := status(); !strings.Contains(out, "not running") {
		t.Errorf("after a kill:\n%s", out)
	}
	cmd, _ = startUnread(t, dir, true, false, "serve", "--json")
	if out := status(); !strings.Contains(out, "running (pid ") {
		t.Errorf("after the next start:\n%s", out)
	}
	for range 50 {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Process.Signal(syscall.SIGINT)
	}
	cmd.Wait()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("after two signals run.json is still there: %v", err)
	}
}
