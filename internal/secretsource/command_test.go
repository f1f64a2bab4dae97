//go:build unix

package secretsource

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"avsproxy/internal/testkit"
)

func TestCommandEndsWithItsChildrenInTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Command{Argv: []string{"sh", "-c", "sleep 600 & echo $! >" + file + "; wait"}}.Output(ctx)
	if !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	text := testkit.Must(os.ReadFile(file))(t)
	child := testkit.Must(strconv.Atoi(strings.TrimSpace(string(text))))(t)
	for range 100 {
		status, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		if syscall.Kill(child, 0) != nil || err == nil && strings.Contains(string(status), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the child lives on")
}

func TestCommandOutputIsLimited(t *testing.T) {
	if _, err := (Command{Argv: []string{"yes"}}).Output(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}
