package app

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/testkit"
	"avsproxy/proxy"
)

func TestConnectionsLeaveFilesToTheUpstreams(t *testing.T) {
	for files, want := range map[int]int{256: 128, 1024: 512, 1 << 20: maxConnections} {
		if got := ProxyConnections(files); got != want {
			t.Errorf("%d files: %d connections", files, got)
		}
	}
	if files := OpenFiles(); files < 256 {
		t.Errorf("only %d files", files)
	}
}

func TestRefusalsAreLoggedSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := testkit.NewBuffer()
		refusals := &pacedLog{log: slog.New(slog.NewTextHandler(said, nil))}
		flood := func() int {
			for range 1000 {
				refusals.warn("user_forbidden", "GET /", "status", 403)
			}
			synctest.Wait()
			return strings.Count(said.String(), "msg=\"GET /\"")
		}
		if n := flood(); n != 16 {
			t.Errorf("%d lines at once", n)
		}
		time.Sleep(proxy.PaceEvery + time.Second)
		synctest.Wait()
		if text := said.String(); !strings.Contains(text, "error=user_forbidden left_out=984") {
			t.Errorf("it is not said how many were left out:\n%s", text)
		}
		if n := flood(); n != 17 {
			t.Errorf("%d lines after a minute", n)
		}
		time.Sleep(2 * proxy.PaceEvery)
		refusals.warn("user_forbidden", "GET /", "status", 403)
		if text := said.String(); strings.Count(text, "left_out=999") != 1 {
			t.Errorf("999 were left out:\n%s", text)
		}
	})
}
