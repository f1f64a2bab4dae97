package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avsproxy/internal/cli"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/testkit"
)

const sandboxGuide = "../../docs/sandbox.md"

// TestSandboxGuideCommands runs the commands of docs/sandbox.md as they stand
// there; only the ports differ.
func TestSandboxGuideCommands(t *testing.T) {
	testkit.NeedTool(t, "curl", "sh", "sed")
	first, rest := guideScript(t)
	if !strings.HasPrefix(first, "avsproxy sandbox ") {
		t.Fatalf("the guide begins with %q", first)
	}
	work := t.TempDir()
	ready := startSandbox(t, work, strings.Fields(first)[1:])
	script := strings.NewReplacer(
		"https://localhost:9751", ready.LWA, "https://localhost:9752", ready.AVS, "http://localhost:9750", ready.Control,
	).Replace(rest)
	cmd := exec.Command("sh", "-eu")
	cmd.Dir, cmd.Stdin = work, strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"user_code"`,       // the code pair
		"HTTP/2 204",        // the ping
		`"downchannels": 0`, // the directive, which nobody hears
		"\n204\n403\n",      // the fault
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the guide's commands never print %q:\n%s", want, out)
		}
	}
	var ledger struct {
		Arrivals []struct{ Status int } `json:"arrivals"`
	}
	if err := json.Unmarshal(out[bytes.LastIndex(out, []byte("{\n  \"arrivals\"")):], &ledger); err != nil || len(ledger.Arrivals) != 3 {
		t.Errorf("the ledger has %d arrivals (%v), want the guide's three pings", len(ledger.Arrivals), err)
	}
}

// guideScript returns the command that starts the sandbox, and all others as one
// script.
func guideScript(t *testing.T) (first, rest string) {
	t.Helper()
	text := testkit.Must(os.ReadFile(sandboxGuide))(t)
	var blocks []string
	for i, part := range strings.Split(string(text), "```sh\n") {
		if block, _, ok := strings.Cut(part, "```"); ok && i > 0 {
			blocks = append(blocks, block)
		}
	}
	return strings.TrimSpace(blocks[0]), strings.Join(blocks[1:], "\n")
}

// startSandbox runs the program in this process, on free ports.
func startSandbox(t *testing.T, work string, args []string) sandboxAt {
	t.Helper()
	args = append(args, "--json", "--lwa", "localhost:0", "--avs", "localhost:0", "--control", "localhost:0",
		"--ca-out", filepath.Join(work, "sandbox-ca.pem"))
	ctx, cancel := context.WithCancel(context.Background())
	stdout, stderr := testkit.NewBuffer(), testkit.NewBuffer()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, args, func(name string) string { return map[string]string{"HOME": work}[name] }, http.NoBody, stdout, stderr)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	select {
	case <-stdout.Written:
	case code := <-ended:
		ended <- code
		t.Fatalf("the sandbox ended with %d:\n%s", code, stderr)
	}
	var ready sandboxAt
	testkit.NoError(t, json.Unmarshal(stdout.Bytes(), &ready))
	return ready
}

// TestSandboxGuideListsEveryFault compares the guide's table with the program's.
func TestSandboxGuideListsEveryFault(t *testing.T) {
	var table strings.Builder
	for _, kind := range faults.Kinds() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", strings.ReplaceAll(kind.Usage(), "|", "\\|"), kind.Does)
	}
	text := testkit.Must(os.ReadFile(sandboxGuide))(t)
	_, shown, _ := strings.Cut(string(text), "|---|---|\n| `")
	shown, _, _ = strings.Cut(shown, "<!-- end of faults -->")
	if "| `"+shown != table.String() {
		t.Errorf("the table of docs/sandbox.md should be:\n%s", &table)
	}
}

// A sandboxAt is the line of "sandbox --json".
type sandboxAt struct{ LWA, AVS, Control, CA string }
