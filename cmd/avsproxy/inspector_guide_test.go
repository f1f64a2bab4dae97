package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"avsproxy/internal/testkit"
)

// TestInspectorGuideCommands runs the commands of docs/inspector.md as they stand there,
// beside a proxy that took some requests; only the ports differ.
func TestInspectorGuideCommands(t *testing.T) {
	testkit.NeedTool(t, "curl", "sh")
	repo, _ := filepath.Abs("../..")
	work := t.TempDir()
	env := append(os.Environ(), "HOME="+work, "XDG_STATE_HOME="+work, "AVSPROXY_CONFIG="+shippedWithFreePorts(t, repo), "NO_COLOR=1",
		"PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	proxy := runServe(t, repo, env, "exec avsproxy serve")
	runCurl(t, repo, "curl -i "+proxy+"/ping", "")
	runCurl(t, repo, "curl "+proxy+"/v20160207/events -F 'metadata=<examples/recognize.json;type=application/json' -F 'audio=@examples/what-time-is-it.wav;type=application/octet-stream' -o answer.multipart", filepath.Join(work, "answer"))
	if code := get(t, proxy+"/nothing"); code != 404 {
		t.Fatalf("%d", code)
	}
	for _, command := range readmeCommands(t, filepath.Join(repo, "docs", "inspector.md")) {
		cmd := exec.Command("sh", "-c", "exec "+strings.ReplaceAll(command, "http://avs.localhost:9744", strings.Replace(proxy, "localhost", "avs.localhost", 1)))
		cmd.Dir, cmd.Env = work, env
		if strings.HasPrefix(command, "avsproxy tail") {
			showsOneLine(t, command, cmd)
			continue
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	for name, want := range map[string]string{"file.har": "/nothing", "ping.har": "/ping", "errors.har": "/nothing"} {
		if text, err := os.ReadFile(filepath.Join(work, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// showsOneLine ends a command that does not end by itself once it has printed one.
func showsOneLine(t *testing.T, command string, cmd *exec.Cmd) {
	t.Helper()
	out := testkit.Must(cmd.StdoutPipe())(t)
	said := testkit.NewBuffer()
	cmd.Stderr = said
	testkit.NoError(t, cmd.Start())
	if !bufio.NewScanner(out).Scan() {
		t.Errorf("%s shows nothing: %s", command, said)
	}
	_ = cmd.Process.Signal(syscall.SIGINT) // it may just have failed
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("%s ended with %d: %s", command, cmd.ProcessState.ExitCode(), said)
	}
}
