// Package browser starts a real browser for tests.
package browser

import (
	"context"
	"path/filepath"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/chromedp/chromedp"
)

// Start starts a headless chromium with a profile of its own, which ends with the test.
// Tests that call it are heavy.
func Start(t testing.TB, options ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	testkit.Heavy(t)
	path := testkit.NeedTool(t, "chromium")
	options = append(append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // CI runs as root, where chromium's own sandbox does not start
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		chromedp.Flag("disable-component-update", true),
	), options...)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	testkit.NoError(t, chromedp.Do(ctx)) // starts the browser, which must not end with the time-out below
	ctx, cancel = context.WithTimeout(ctx, testkit.Timeout)
	t.Cleanup(cancel)
	return ctx
}
