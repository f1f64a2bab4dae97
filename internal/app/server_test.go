package app

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/config"
	"avsproxy/internal/terminal"
	"avsproxy/internal/testkit"
)

// A page that watches must not hold up the end of the process.
func TestStreamsOfEventsEndWithServe(t *testing.T) {
	s := begun(t)
	s.console.Key, s.console.Exchanges = "", capture.New(capture.Options{})
	resp := testkit.Must(http.Get(s.console.Self + "/api/events"))(t)
	defer resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), drainTimeout)
	defer cancel()
	if err := s.pages.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("it was cut: %v", err)
	}
}

// begun is a server that has begun, with one route.
func begun(t *testing.T) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.toml")
	text := "[proxy]\nlisten = \"localhost:0\"\n[console]\nlisten = \"localhost:0\"\n[[route]]\nname = \"a\"\nupstream = \"https://a.example\"\n"
	testkit.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	getenv := func(name string) string { return map[string]string{"HOME": dir, "AVSPROXY_CONFIG": file}[name] }
	conf := testkit.Must(config.Load("", getenv))(t)
	s := testkit.Must(NewServer(&Environment{Getenv: getenv, UI: terminal.New(io.Discard, getenv)}, conf))(t)
	t.Cleanup(s.Close)
	testkit.NoError(t, s.Begin(t.Context()))
	return s
}
