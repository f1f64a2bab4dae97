package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

const (
	root   = "../.."
	module = "avsproxy"
)

// arrows lists, for each package, the packages of this module that it may import
// outside of tests. A package that is not a key has no place yet: give it one,
// and ask first whether the arrow points away from the network and the terminal,
// towards what knows less.
var arrows = map[string]string{
	"avsproxy":     "",
	"cmd/avsproxy": "internal/cli",
	"proxy":        "tokens internal/avs internal/breakpoint internal/exchange internal/gate internal/h2 internal/httpexchange internal/netconn internal/problem internal/tunnel internal/upstream internal/websocket",
	"tokens":       "internal/charset internal/durable internal/secretsource",
	"internal/api": "tokens internal/capture internal/durable internal/filter internal/terminal",
	"internal/app": "proxy tokens internal/api internal/avs internal/avsroute internal/breakpoint internal/capture internal/certs internal/charset internal/config internal/console internal/doctor internal/durable internal/exchange internal/explain" +
		" internal/doctor internal/gate internal/h2 internal/httpexchange internal/httpserver internal/listen internal/peer internal/postgresengine internal/problem internal/redact internal/redisengine internal/sandbox internal/share internal/suggest internal/terminal internal/tunnel internal/upstream",
	"internal/arch":       "",
	"internal/avs":        "",
	"internal/avsroute":   "tokens internal/avs internal/exchange internal/upstream",
	"internal/breakpoint": "",
	"internal/capture":    "internal/exchange internal/redact internal/websocket",
	"internal/certs":      "internal/durable",
	"internal/charset":    "",
	"internal/cli": "tokens internal/api internal/app internal/avs internal/capture internal/certs internal/charset internal/config" +
		" internal/doctor internal/durable internal/exchange internal/explain internal/filter internal/gate internal/httpexchange internal/httpserver internal/problem internal/sandbox internal/sandbox/faults internal/setup internal/suggest internal/terminal",
	"internal/config": "tokens internal/charset internal/durable internal/secretsource internal/suggest",
	"internal/console": "tokens internal/api internal/avs internal/breakpoint internal/capture internal/charset internal/filter internal/messages internal/terminal" +
		" internal/exchange internal/gate internal/httpexchange internal/peer internal/problem internal/redact",
	"internal/doctor":          "tokens internal/api internal/config internal/durable internal/gate internal/listen internal/problem internal/terminal internal/upstream",
	"internal/durable":         "",
	"internal/exchange":        "internal/peer internal/websocket",
	"internal/explain":         "proxy tokens internal/charset internal/config internal/exchange internal/gate internal/httpexchange internal/problem internal/terminal",
	"internal/filter":          "internal/capture internal/suggest internal/terminal",
	"internal/gate":            "internal/exchange internal/peer internal/problem",
	"internal/h1":              "internal/h2",
	"internal/h2":              "internal/netconn",
	"internal/httpexchange":    "internal/exchange internal/gate internal/h2 internal/problem",
	"internal/httpserver":      "internal/exchange internal/h1 internal/h2 internal/httpexchange internal/listen internal/netconn internal/peer internal/problem internal/tunnel",
	"internal/listen":          "internal/charset internal/durable internal/netconn internal/peer",
	"internal/messages":        "",
	"internal/netconn":         "",
	"internal/peer":            "internal/netconn",
	"internal/postgresengine":  "tokens",
	"internal/problem":         "",
	"internal/redact":          "",
	"internal/redisengine":     "tokens",
	"internal/sandbox":         "internal/avs internal/certs internal/sandbox/faults internal/sandbox/frames",
	"internal/sandbox/faults":  "internal/suggest",
	"internal/sandbox/frames":  "",
	"internal/secretsource":    "",
	"internal/setup":           "tokens",
	"internal/share":           "tokens internal/peer",
	"internal/suggest":         "",
	"internal/terminal":        "tokens internal/capture internal/charset internal/exchange",
	"internal/testkit":         "",
	"internal/testkit/browser": "internal/testkit",
	"internal/testkit/engines": "tokens internal/testkit",
	"internal/tunnel":          "internal/exchange internal/netconn",
	"internal/websocket":       "",
	"internal/upstream":        "internal/exchange internal/h1 internal/h2 internal/netconn internal/problem internal/tunnel",
}

// closed are packages that only those named may import, whatever the table above will
// say one day.
var closed = map[string]string{
	"internal/cli":      "cmd/avsproxy",
	"internal/app":      "internal/cli",
	"internal/config":   "internal/app internal/cli internal/doctor internal/explain",
	"internal/console":  "internal/app",
	"internal/sandbox":  "internal/app internal/cli",
	"internal/avsroute": "internal/app",
	"internal/upstream": "internal/app internal/avsroute internal/doctor proxy",
	"proxy":             "internal/app internal/explain",
}

// A goPackage is what "go list -json" says of one.
type goPackage struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(goCommand(t, "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports", "./...")))
	var list []goPackage
	for {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		testkit.NoError(t, err)
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		list = append(list, p)
	}
}

// goCommand runs the go command at the module's root.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func TestArrowsBetweenPackages(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[p.ImportPath] = true
		allowed, known := arrows[p.ImportPath]
		if !known {
			t.Errorf("%s has no place in the table of arrows", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			target, ours := strings.CutPrefix(path, module+"/")
			if ours && !mayImport(p.ImportPath, allowed, target) {
				t.Errorf("%s may not import %s", p.ImportPath, target)
			}
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("%s is in the table of arrows, but there is no such package", name)
		}
	}
}

func mayImport(from, allowed, target string) bool {
	importers, isClosed := closed[target]
	return !strings.HasPrefix(target, "cmd/") &&
		slices.Contains(strings.Fields(allowed), target) &&
		(!isClosed || slices.Contains(strings.Fields(importers), from))
}

func TestEveryPackageIsDocumented(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// A replaced module is not what others get who build this one.
func TestModulesStandOnTheirOwn(t *testing.T) {
	for _, file := range []string{"go.mod", "tools/go.mod"} {
		var mod struct {
			Module    struct{ Path string }
			Go        string
			Toolchain string
			Replace   []struct{ Old struct{ Path string } }
		}
		testkit.NoError(t, json.Unmarshal(goCommand(t, "mod", "edit", "-json", file), &mod))
		for _, replaced := range mod.Replace {
			t.Errorf("%s replaces %s", file, replaced.Old.Path)
		}
		if mod.Go != "1.26.0" || mod.Toolchain == "" {
			t.Errorf("%s: go %s, toolchain %q", file, mod.Go, mod.Toolchain)
		}
	}
}
