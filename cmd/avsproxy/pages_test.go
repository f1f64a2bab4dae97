package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/app"
	"avsproxy/internal/testkit"
)

// pagesElsewhere are those whose commands tests of their own run.
var pagesElsewhere = []string{"README.md", "docs/clients.md", "docs/inspector.md", "docs/sandbox.md"}

// ofTheSource begins commands that build or test, which takes a clone.
var ofTheSource = []string{"go ", "AVSPROXY_HEAVY=1 go "}

// TestPagesWithTheProgramAlone runs the commands of each page as they stand there, in an empty
// folder, with the program in the PATH and no more. Only the ports differ.
func TestPagesWithTheProgramAlone(t *testing.T) {
	testkit.NeedTool(t, "curl", "sh")
	for page, text := range pages(t) {
		commands := slices.DeleteFunc(shCommands(text), func(command string) bool {
			return slices.ContainsFunc(ofTheSource, func(begin string) bool { return strings.HasPrefix(command, begin) })
		})
		if slices.Contains(pagesElsewhere, page) || len(commands) == 0 {
			continue
		}
		t.Run(page, func(t *testing.T) { walkPage(t, page, commands) })
	}
}

// pages are the texts of all pages by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths := append(testkit.Must(filepath.Glob("../../docs/*.md"))(t), testkit.Must(filepath.Glob("../../*.md"))(t)...)
	texts := map[string]string{}
	for _, path := range paths {
		texts[strings.TrimPrefix(path, "../../")] = string(testkit.Must(os.ReadFile(path))(t))
	}
	return texts
}

// shCommands are the lines of the blocks marked as sh.
func shCommands(text string) (commands []string) {
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		commands = append(commands, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return commands
}

// walkPage runs the commands beside a sandbox that took some requests, because the pages name them.
func walkPage(t *testing.T, page string, commands []string) {
	const config = `
sandbox = true
[proxy]
listen = "localhost:0"
[console]
listen = "localhost:0"
[[route]]
name = "avs"
preset = "avs"
credential = "alexa"
downchannel = "keep"
[credential.alexa]
provider = "amazon"
`
	proxy := serveBuilt(t, config)
	for range 12 {
		resp := testkit.Must(http.Get(proxy.Proxy[0] + "/ping"))(t)
		resp.Body.Close()
	}
	ports := strings.NewReplacer("localhost:9744", "localhost:"+app.PortOf(proxy.Proxy[0]), "localhost:9745", "localhost:"+app.PortOf(proxy.Console))
	work := t.TempDir()
	env := []string{"HOME=" + work, "NO_COLOR=1", "PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH")}
	for _, command := range commands {
		switch {
		case strings.HasSuffix(command, "avsproxy serve"):
			runServe(t, work, env, strings.Replace(command, "avsproxy serve", "exec avsproxy serve --listen localhost:0 --console-listen localhost:0", 1))
		case strings.HasPrefix(command, "curl "):
			runPageCurl(t, work, env, ports.Replace(command))
		default:
			t.Errorf("%s shows a command that no test runs: %s", page, command)
		}
	}
}

// runPageCurl expects an answer that is good. A stream that does not end is bounded.
func runPageCurl(t *testing.T, work string, env []string, command string) {
	t.Helper()
	const timedOut = 28
	cmd := exec.Command("sh", "-c", command+" -sS -m 2 --fail-with-body -w '%{http_code}'")
	cmd.Dir, cmd.Env = work, env
	out, err := cmd.CombinedOutput()
	if err != nil && (cmd.ProcessState.ExitCode() != timedOut || !strings.Contains(command, "curl -N")) {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	if !regexp.MustCompile(`20[02]$`).Match(out) {
		t.Errorf("%s printed neither 200 nor 202:\n%s", command, out)
	}
}

// TestEachCommandOfThePagesIsKnown asks for the help of each command that a page has in a line of
// text, with its flags: an unknown one is refused.
func TestEachCommandOfThePagesIsKnown(t *testing.T) {
	checked := 0
	for page, text := range pages(t) {
		for _, span := range regexp.MustCompile("`avsproxy ([a-z][^`]*)`").FindAllStringSubmatch(text, -1) {
			command := span[1]
			for pattern, example := range placeholders {
				command = pattern.ReplaceAllString(command, example)
			}
			checked++
			if out, err := exec.Command("sh", "-c", binary+" "+command+" --help").CombinedOutput(); err != nil {
				t.Errorf("%s: avsproxy %s: %v\n%s", page, span[1], err, out)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d commands were found", checked)
	}
}

// placeholders are what a page writes for what a person chooses, with examples.
var placeholders = map[*regexp.Regexp]string{
	regexp.MustCompile(`( --| [<>]) .*`):   "", // a command of others, a file
	regexp.MustCompile(`[a-z]+\\\||\.{3}`): "", // all choices but the last
	regexp.MustCompile(`[\[\]]`):           "",
	regexp.MustCompile(`\bN\b`):            "1",
	regexp.MustCompile(`\bD\b`):            "1h",
}
