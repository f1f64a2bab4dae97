package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"avsproxy/internal/testkit"
)

func TestConsoleHasNoKeyWhereTheSystemTellsUsersApart(t *testing.T) {
	proxy := startProxy(t, onePlainRoute)
	file := testkit.Must(os.ReadFile(filepath.Join(proxy.State, "run.json")))(t)
	keyless := runtime.GOOS == "linux"
	if strings.Contains(string(file), "console_key") == keyless || strings.Contains(proxy.Stderr.String(), "?key=") == keyless {
		t.Errorf("run.json\n%s\nit said\n%s", file, proxy.Stderr)
	}
	if got := get(t, proxy.Console+"/"); (got == http.StatusOK) != keyless {
		t.Errorf("the inspector: %d", got)
	}
}

const onePlainRoute = `
[proxy]
listen = "localhost:0"
[console]
listen = "localhost:0"
[[route]]
name = "plain"
upstream = "https://upstream.example"
`
