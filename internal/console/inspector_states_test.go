package console

import (
	"context"
	"testing"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
	"avsproxy/tokens"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func TestInspectorComesBackAfterItWasCutOff(t *testing.T) {
	ended := make(chan struct{})
	v := inspectWith(t, func(c *Console) { c.Ended = ended })
	v.await(`document.querySelector("#live").dataset.connected === "true"`)
	close(ended) // ends each stream as it begins
	v.pass(day(t)[0])
	v.await(rows + ` === 1`)
}

func TestInspectorSaysThatNobodyAnswers(t *testing.T) {
	ended := make(chan struct{})
	v := inspectWith(t, func(c *Console) { c.Ended = ended }, day(t)[0], day(t)[2])
	v.quiet.Store(true) // the browser notes what it cannot reach
	v.open(1)
	v.block("http://localhost:*/api/*")
	close(ended)
	v.await(`document.querySelector("#trouble").dataset.status === "0" && !document.querySelector("#trouble").hidden && document.querySelector("#live").dataset.connected === "false"`)
	v.click("#x2")
	v.await(`document.querySelector("#detail.gone").dataset.status === "0" && !document.querySelector(".buttons").checkVisibility()`)
	v.shoot("lost")
	v.block()
	v.await(`document.querySelector("#trouble").hidden && document.querySelector("#title").textContent === "POST /v20160207/events 204" && document.querySelector(".buttons").checkVisibility()`)
}

// block lets requests to such URLs fail as if nobody listened; none lets all pass.
func (v *visit) block(patterns ...string) {
	v.t.Helper()
	var blocked []*network.BlockPattern
	for _, pattern := range patterns {
		blocked = append(blocked, &network.BlockPattern{URLPattern: pattern, Block: true})
	}
	v.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: blocked})
		return err
	}))
}

func TestInspectorSaysThatCaptureIsOff(t *testing.T) {
	v := inspectWith(t, func(c *Console) { c.Exchanges = nil })
	v.await(`document.querySelector("#empty").checkVisibility() && document.querySelector("#empty").dataset.reason === "off" && document.querySelector("#empty p").textContent.includes("enabled = true")`)
	v.await(`!document.querySelector("#tools").checkVisibility() && !document.querySelector("#list").checkVisibility() && document.querySelector("#trouble").hidden`)
	v.shoot("off")
}

func TestInspectorSaysWhyItsListIsEmpty(t *testing.T) {
	v := inspect(t)
	emptyFor := func(reason string) {
		t.Helper()
		v.await(`document.querySelector("#empty").checkVisibility() && document.querySelector("#empty").dataset.reason === "` + reason + `" && document.querySelector("#empty h2").textContent !== ""`)
	}
	emptyFor("first")
	v.await(`!document.querySelector("#before").checkVisibility() && document.querySelector("#try").checkVisibility()`)
	v.click("#pause")
	emptyFor("paused")
	v.await(`!document.querySelector("#try").checkVisibility()`)
	v.shoot("paused")
	v.click("#relief")
	emptyFor("first")
	if v.Exchanges.Paused() {
		t.Error("the recorder is paused still")
	}
	v.Exchanges.Pause(true) // by another page or program
	emptyFor("paused")
	v.Exchanges.Pause(false)
	emptyFor("first")
	v.pass(day(t)[0])
	v.await(rows + ` === 1 && !document.querySelector("#empty").checkVisibility()`)
	v.do(chromedp.SendKeys(chromedp.CSS("#text"), "orders"))
	emptyFor("filtered")
	v.click("#relief")
	v.await(rows + ` === 1 && document.querySelector("#text").value === "" && document.querySelector("#count").dataset.shown === "1"`)
}

func TestInspectorSaysThatALoginComesFirst(t *testing.T) {
	ads := &tokens.Source{Name: "ads", Kind: "authorization_code", Store: &tokens.MemoryStore{}}
	testkit.NoError(t, ads.Load())
	v := inspectWith(t, func(c *Console) {
		c.Credentials = append(c.Credentials, Credential{Source: ads, Client: c.Credentials[0].Client})
	})
	v.await(`document.querySelector("#before").checkVisibility() && document.querySelector("#before a").getAttribute("href") === "/login?credential=ads"`)
}

func TestInspectorSaysWhatWasNotSent(t *testing.T) {
	v := inspect(t)
	for i, c := range []struct {
		route   string
		facts   exchange.Facts
		outcome string
	}{
		{"avs", exchange.Facts{Decision: "injected", Credential: "alexa", Error: "upstream_unreachable"}, "no_connection"},
		{"avs", exchange.Facts{Decision: "refused", Error: "not_allowed"}, "refused"},
		{"", exchange.Facts{Decision: "refused", Error: "unknown_host", Ended: "no route belongs to the host"}, "refused"},
	} {
		v.pass(turn{method: "GET", target: "/x", route: c.route, status: 502, facts: c.facts})
		v.open(uint64(i + 1))
		v.await(`document.querySelector("#panel-Summary .lead[data-outcome=` + c.outcome + `]")?.dataset.route === "` + c.route + `"`)
	}
}
