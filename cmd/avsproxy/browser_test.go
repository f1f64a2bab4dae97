package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/testkit"
	"avsproxy/internal/testkit/browser"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestBrowserCompletesTheSandboxLogin lets a real browser press the login page's
// button and follow where it leads: our console, the provider, the callback over
// TLS, the page that says what to do next.
func TestBrowserCompletesTheSandboxLogin(t *testing.T) {
	testkit.Heavy(t)
	proxy, _ := startBoth(t)

	if status := get(t, proxy.Proxy[0]+"/ping"); status != http.StatusServiceUnavailable {
		t.Fatalf("before the login /ping answered %d, want 503", status)
	}
	ctx := browserContext(t)
	testkit.NoError(t, chromedp.Do(ctx, chromedp.Navigate(api.LocalhostURL(proxy.Console)+"/login")))
	ask(t, ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(chromedp.CSS("button"))))
	if text := ask(t, ctx, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, "Logged in to alexa") {
		t.Errorf("the last page says:\n%s", text)
	}
	if address := ask(t, ctx, chromedp.Location()); strings.Contains(address, "code=") || !strings.Contains(address, "/login/") {
		t.Errorf("the address bar keeps the code: %s", address)
	}
	if status := get(t, proxy.Proxy[0]+"/ping"); status != http.StatusNoContent {
		t.Errorf("after the login /ping answered %d, want 204", status)
	}
}

// TestBrowserPagesCannotSpendTheLogin tries what a page on the web can: requests
// to the proxy and to the console from another origin.
func TestBrowserPagesCannotSpendTheLogin(t *testing.T) {
	testkit.Heavy(t)
	proxy, amazon := startBoth(t)
	logIn(t, proxy, amazon)
	evil := startEvilPage(t)
	tokenCalls := len(amazon.TokenCalls())

	ctx := browserContext(t)
	testkit.NoError(t, chromedp.Do(ctx, chromedp.Navigate(evil)))
	outcome := ask(t, ctx, chromedp.Evaluate[string](`(async () => {
		const tell = async (url, options) => {
			try { return (await fetch(url, options)).status } catch (e) { return "blocked" }
		};
		return [
			await tell("`+proxy.Proxy[0]+`/ping"),
			await tell("`+proxy.Proxy[0]+`/ping", {mode: "no-cors"}),
			await tell("`+proxy.Proxy[0]+`/ping", {mode: "no-cors", method: "POST", body: "x"}),
			await tell("`+proxy.Console+`/login", {mode: "no-cors", method: "POST", body: "credential=alexa"}),
			await tell("`+proxy.Console+`/api/status"),
		].join(" ")
	})()`, chromedp.EvalAwaitPromise))
	// What no-cors lets through is opaque to the page: its status reads as 0. The
	// console's answers are for its own pages alone (Cross-Origin-Resource-Policy).
	if outcome != "blocked 0 0 blocked blocked" {
		t.Errorf("a foreign page got %q", outcome)
	}
	if n := len(amazon.TokenCalls()); n != tokenCalls {
		t.Errorf("a foreign page caused %d token calls", n-tokenCalls)
	}
	if n := len(amazon.Ledger()); n != 0 {
		t.Errorf("%d requests of a foreign page reached the upstream", n)
	}
}

// browserContext is a browser that makes no connections besides ours. It accepts our
// authority as a person would who reads the fingerprint and goes on.
func browserContext(t *testing.T) context.Context {
	t.Helper()
	return browser.Start(t, chromedp.IgnoreCertErrors, chromedp.Flag("disable-quic", true))
}

func ask[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	return testkit.Must(chromedp.Run(ctx, action))(t)
}
