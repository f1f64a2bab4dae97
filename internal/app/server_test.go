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
)

// A page that watches must not hold up the end of the process.
func TestStreamsOfEventsEndWithServe(t *testing.T) {
	s := begun(t)
	s.console.Key, s.console.Exchanges = "", capture.New(capture.Options{})
	resp, err := http.Get(s.console.Self + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
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
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return map[string]string{"HOME": dir, "AVSPROXY_CONFIG": file}[name] }
	conf, err := config.Load("", getenv)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(&Environment{Getenv: getenv, UI: terminal.New(io.Discard, getenv)}, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
