package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"avsproxy/internal/api"
	"avsproxy/internal/testkit"

	"github.com/chromedp/chromedp"
)

// TestInspectorWithTheWholeProgram goes the way of somebody who sees the page for the
// first time: runs the line that it suggests, looks, copies, runs that, sends it
// again. What is sent reaches the upstream with a token, and the page has none.
func TestInspectorWithTheWholeProgram(t *testing.T) {
	testkit.Heavy(t)
	testkit.NeedTool(t, "chromium", "curl")
	proxy, amazon := startBoth(t)
	logIn(t, proxy, amazon)
	ctx := browserContext(t)
	testkit.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(api.LocalhostURL(proxy.Console)+"/"))) // wide enough for list and detail
	// Exchange 1 was the login.
	shell(t, text(t, ctx, "#try", `!document.querySelector("#empty").hidden && document.querySelector("#try").textContent`))
	testkit.NoError(t, chromedp.Do(ctx, chromedp.Click(chromedp.CSS("#x2"))))
	lead := text(t, ctx, "the decision", `document.querySelector(".lead[data-outcome=injected]")?.textContent`)
	if !strings.Contains(lead, amazon.AVS()) {
		t.Errorf("the page says %q, which does not name the upstream", lead)
	}
	testkit.NoError(t, chromedp.Do(ctx, chromedp.Click(chromedp.CSS(`[aria-keyshortcuts="c"]`))))
	shell(t, text(t, ctx, "the command", `document.querySelector(".command pre")?.textContent`))
	text(t, ctx, "the copy's row", `document.querySelector("#x3 .status")?.textContent === "204" && "seen"`)
	testkit.NoError(t, chromedp.Do(ctx, chromedp.Click(chromedp.CSS(`[aria-keyshortcuts="r"]`))))
	text(t, ctx, "the replay's row", `document.querySelector("#x4 .status")?.textContent === "204" && "seen"`)

	if n := len(amazon.Ledger()); n != 3 {
		t.Errorf("the upstream saw %d requests, want 3", n)
	}
	page := text(t, ctx, "the page", `(async () => document.documentElement.outerHTML + await (await fetch("/api/exchanges/4")).text() + await (await fetch("/har")).text())()`)
	if strings.Contains(page, "Atza|") {
		t.Error("the page holds a token")
	}
}

// text polls the page until the expression is something, and returns it.
func text(t *testing.T, ctx context.Context, what, expression string) string {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Poll[string](expression))
	if err != nil {
		t.Fatalf("%s: %v\n%s", what, err, ask(t, ctx, chromedp.Evaluate[string](`document.body.innerText`)))
	}
	return value
}

// shell runs a line as somebody would who pastes it.
func shell(t *testing.T, line string) {
	t.Helper()
	if output, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil || !strings.Contains(string(output), " 204") {
		t.Fatalf("%s: %v\n%s", line, err, output)
	}
}
