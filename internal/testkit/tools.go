package testkit

import (
	_ "embed" // for tools.txt
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tools has a line for each program that tests call, with the Debian package that
// brings it; python3:NAME is a module of Python's. .ci/run installs them.
//
//go:embed tools.txt
var tools string

// NeedTool skips a test that calls programs this machine lacks. With CI set the test
// fails instead. It returns the path of the first program.
func NeedTool(t testing.TB, names ...string) (path string) {
	t.Helper()
	for _, name := range names {
		found, err := find(name)
		if err != nil {
			missing(t, name+" is missing", packageOf(name))
		}
		if path == "" {
			path = found
		}
	}
	return path
}

// find returns the path of a program, or of the Python that has a module: Debian's may not be
// the first one.
func find(name string) (path string, err error) {
	module, ok := strings.CutPrefix(name, "python3:")
	if !ok {
		return exec.LookPath(name)
	}
	for _, path = range []string{"python3", "/usr/bin/python3"} {
		if err = exec.Command(path, "-c", "import "+module).Run(); err == nil {
			return path, nil
		}
	}
	return "", err
}

// NeedVariable is [NeedTool] for what an environment variable says the place of. hint
// says how to get it.
func NeedVariable(t testing.TB, name, hint string) (value string) {
	t.Helper()
	if value = os.Getenv(name); value == "" {
		missing(t, name+" is not set", hint)
	}
	return value
}

// NeedRoot skips a test that only root can run.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "this user is not root", "run as root in a container")
	}
}

// missing skips the test, or fails it where CI is set.
func missing(t testing.TB, why, hint string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", why, hint)
	}
	skip(t, why, hint)
}

func packageOf(tool string) string {
	for line := range strings.Lines(tools) {
		if name, debian, _ := strings.Cut(strings.TrimSpace(line), " "); name == tool {
			return "Debian, Ubuntu: apt install " + debian
		}
	}
	return "install it"
}

// H2spec returns the path of github.com/summerwind/h2spec, a conformance suite for
// HTTP/2. With CI set it is built from tools/go.mod, else it must be installed.
func H2spec(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("h2spec"); err == nil {
		return path
	}
	if os.Getenv("CI") == "" {
		skip(t, "h2spec is missing", "go install -modfile=tools/go.mod github.com/summerwind/h2spec/cmd/h2spec")
	}
	path := filepath.Join(t.TempDir(), "h2spec")
	build := exec.Command("go", "build", "-modfile=../../tools/go.mod", "-o", path, "github.com/summerwind/h2spec/cmd/h2spec")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building h2spec: %v\n%s", err, out)
	}
	return path
}
