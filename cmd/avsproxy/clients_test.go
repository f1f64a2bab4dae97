package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

// clientsElsewhere are commands of the guide that TestSystemTrust runs.
var clientsElsewhere = []string{"avsproxy ca trust", "avsproxy ca untrust"}

// TestClientsGuideCommands runs the commands of docs/clients.md as they stand there,
// beside a running proxy and without one. Only the ports differ.
func TestClientsGuideCommands(t *testing.T) {
	testkit.NeedTool(t, "curl", "sh", "python3")
	repo := testkit.Must(filepath.Abs("../.."))(t)
	env := append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "AVSPROXY_CONFIG="+shippedWithFreePorts(t, repo), "NO_COLOR=1",
		"PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	commands := readmeCommands(t, filepath.Join(repo, "docs", "clients.md"))
	for _, command := range commands {
		if strings.HasPrefix(command, "avsproxy run") {
			runGuideLine(t, env, command)
		}
	}
	_, port, _ := strings.Cut(runServe(t, repo, env, "avsproxy serve"), "http://localhost:")
	for _, command := range commands {
		if !slices.Contains(clientsElsewhere, command) {
			runGuideLine(t, env, strings.ReplaceAll(command, "9744", port))
		}
	}
}

func runGuideLine(t *testing.T, env []string, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	if strings.Contains(command, "/ping") && !strings.Contains(string(out), "204") {
		t.Errorf("%s printed no 204:\n%s", command, out)
	}
}
