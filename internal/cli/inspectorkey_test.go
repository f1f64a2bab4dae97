package cli

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/app"
	"avsproxy/internal/config"
	"avsproxy/internal/peer"
	"avsproxy/internal/testkit"
)

const plainConfig = `
[proxy]
listen = "localhost:0"
[console]
listen = "localhost:0"
[[route]]
name = "plain"
upstream = "https://upstream.example"
`

// startAmongStrangers serves as where the system tells no users apart.
func startAmongStrangers(t *testing.T) (a *commands, folder string, r app.Readiness, said *testkit.Buffer) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	testkit.NoError(t, os.WriteFile(file, []byte(plainConfig), 0o600))
	env := map[string]string{"HOME": dir, "AVSPROXY_CONFIG": file, "NO_COLOR": "1"}
	getenv := func(name string) string { return env[name] }
	said = testkit.NewBuffer()
	a = newCommands(getenv, http.NoBody, said, said)
	conf := testkit.Must(config.Load("", getenv))(t)
	s := testkit.Must(app.NewServer(a.Environment, conf))(t)
	s.Users.Console = &peer.Users{TCP: errors.New("this system does not tell")}
	t.Cleanup(s.Close)
	testkit.NoError(t, s.Begin(t.Context()))
	(&serveFlags{asJSON: true}).announceReady(a, conf, s.Readiness())
	return a, conf.Store.Path, s.Readiness(), said
}

// status asks the console, with a key where one is given.
func status(t *testing.T, client *http.Client, method, address, key string) int {
	t.Helper()
	req := testkit.Must(http.NewRequestWithContext(t.Context(), method, address, nil))(t)
	if key != "" {
		req.Header.Set(api.KeyHeader, key)
	}
	resp := testkit.Must(client.Do(req))(t)
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestC04_AmongStrangersTheInspectorHasAKey(t *testing.T) {
	_, folder, r, said := startAmongStrangers(t)
	for path, want := range map[string]int{"/": 403, "/har": 403, "/api/exchanges": 403, "/api/events": 403, "/status": 200} {
		if got := status(t, newClient(t), "GET", r.Console+path, ""); got != want {
			t.Errorf("%s without the key: %d", path, got)
		}
	}
	file := api.ReadRunFile(folder)
	info, err := os.Stat(api.RunFilePath(folder))
	if err != nil || file.Key == "" || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Fatalf("run.json: %+v %v %v", file, info, err)
	}
	if got := status(t, newClient(t), "POST", r.Console+"/api/tickets", file.Key); got != http.StatusCreated {
		t.Errorf("with the key of run.json: %d", got)
	}
	if strings.Contains(said.String(), file.Key) {
		t.Errorf("it printed the key of run.json:\n%s", said)
	}
	line, _, _ := strings.Cut(said.String(), "\n")
	if !strings.Contains(line, r.Console+`"`) { // for programs
		t.Error(line)
	}
}

func TestC04_PrintedAddressesOpenTheInspectorOnce(t *testing.T) {
	a, _, _, said := startAmongStrangers(t)
	command := a.rootCommand()
	command.SetArgs([]string{"status"})
	testkit.NoError(t, command.ExecuteContext(t.Context()))
	addresses := regexp.MustCompile(`http://localhost:\d+/\?key=\w+`).FindAllString(said.String(), -1)
	if len(addresses) != 2 { // of serve and of status
		t.Fatalf("it said\n%s", said)
	}
	for _, address := range addresses {
		browser := newClient(t)
		page, _, _ := strings.Cut(address, "?")
		for _, want := range []string{address, page} {
			if got := status(t, browser, "GET", want, ""); got != http.StatusOK {
				t.Errorf("%s: %d", want, got)
			}
		}
		if got := status(t, newClient(t), "GET", address, ""); got != http.StatusForbidden {
			t.Errorf("the printed address, again: %d", got)
		}
	}
}

// newClient is a browser of its own.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar := testkit.Must(cookiejar.New(nil))(t)
	transport := &http.Transport{Proxy: nil}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar}
}
