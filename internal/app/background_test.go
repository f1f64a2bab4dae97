package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"avsproxy/internal/testkit"
	"avsproxy/tokens"
)

func TestReminderOfZeroRunsOnce(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	source := &tokens.Source{Name: "alexa", Store: &tokens.MemoryStore{}, Renew: func(context.Context, tokens.Grant) (tokens.Grant, error) { panic("never") }}
	r := &reminder{source: source, command: []string{"sh", "-c", "echo x >> " + out}, every: 0, log: slog.New(slog.DiscardHandler), needed: make(chan struct{}, 1)}
	source.Outcome = r.notify
	testkit.NoError(t, source.Load())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.run(ctx); close(done) }()
	for range 10 { // ten requests
		source.Token(ctx)
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	<-done
	text, _ := os.ReadFile(out)
	if len(text) != 2 {
		t.Errorf("the hook ran %d times", len(text)/2)
	}
}
