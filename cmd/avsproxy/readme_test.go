package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"avsproxy/internal/testkit"
)

// readmeElsewhere are commands of the README that other tests run: the scripts
// login.txt and first_minute.txt, and whoever runs this very test.
var readmeElsewhere = []string{
	"go test ./...", "export AVS_CLIENT_SECRET=...", "avsproxy login", "avsproxy serve",
}

// TestReadmeCommands runs the README's commands as they stand there, on a fresh
// machine's state, with the shipped configuration. Only the ports differ: the
// usual ones may be in use here.
func TestReadmeCommands(t *testing.T) {
	testkit.NeedTool(t, "curl", "sh", "go")
	repo, _ := filepath.Abs("../..")
	work := t.TempDir()
	env := append(os.Environ(), "XDG_STATE_HOME="+work, "AVSPROXY_CONFIG="+shippedWithFreePorts(t, repo), "NO_COLOR=1")
	var proxy string
	for _, command := range readmeCommands(t, filepath.Join(repo, "README.md")) {
		switch {
		case slices.Contains(readmeElsewhere, command):
		case command == "go run ./cmd/avsproxy serve":
			proxy = runServe(t, repo, env, command)
		case strings.HasPrefix(command, "curl "):
			runCurl(t, repo, strings.ReplaceAll(command, "http://localhost:9744", proxy), filepath.Join(work, "answer"))
		default:
			t.Errorf("the README shows a command that no test runs: %s", command)
		}
	}
}

// readmeCommands are the lines of the blocks marked as sh.
func readmeCommands(t *testing.T, path string) []string {
	t.Helper()
	text := testkit.Must(os.ReadFile(path))(t)
	var commands []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && line != "":
			commands = append(commands, line)
		}
	}
	if len(commands) < 5 {
		t.Fatalf("only %d commands found in the README", len(commands))
	}
	return commands
}

func shippedWithFreePorts(t *testing.T, repo string) string {
	t.Helper()
	text := testkit.Must(os.ReadFile(filepath.Join(repo, "config.toml")))(t)
	for _, port := range []string{"9744", "9745"} {
		old := []byte(`# listen = "localhost:` + port + "\"\n")
		if !bytes.Contains(text, old) {
			t.Fatalf("the shipped configuration has no line %q", old)
		}
		text = bytes.Replace(text, old, []byte("listen = \"localhost:0\"\n"), 1)
	}
	path := testkit.File(t, "config.toml", text)
	return path
}

// runServe starts the command and returns the address it says to try.
func runServe(t *testing.T, repo string, env []string, command string) string {
	t.Helper()
	said := testkit.NewBuffer()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env, cmd.Stderr = repo, env, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	testkit.NoError(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		cmd.Wait()
	})
	try := regexp.MustCompile(`curl -i (\S*)/ping\n`)
	var found []string
	testkit.Eventually(t, fmt.Stringer(said), func() bool { // go run compiles first
		found = try.FindStringSubmatch(said.String())
		return found != nil
	})
	return found[1]
}

// runCurl runs a command of the README. The downchannel does not end by itself,
// so it is bounded, and curl's own code for that is as good as success.
func runCurl(t *testing.T, repo, command, answer string) {
	t.Helper()
	command = strings.ReplaceAll(command, "-o answer.multipart", "-o "+answer)
	const timedOut = 28
	cmd := exec.Command("sh", "-c", command+" -sS -m 3 -w '%{http_code}'")
	cmd.Dir = repo
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != timedOut {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	switch text := string(out); {
	case strings.Contains(command, "/ping"):
		if !strings.HasSuffix(text, "204") {
			t.Errorf("%s answered %s", command, text)
		}
	case strings.Contains(command, "/events"):
		speech, _ := os.ReadFile(answer)
		if text != "200" || !bytes.Contains(speech, []byte(`"Speak"`)) || !bytes.Contains(speech, []byte("ID3")) {
			t.Errorf("%s answered %s and no speech", command, text)
		}
	case strings.Contains(command, "/directives"):
		if !strings.Contains(text, `{"directive":`) {
			t.Errorf("%s showed no directive: %s", command, text)
		}
	}
}
