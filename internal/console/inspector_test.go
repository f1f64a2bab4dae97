package console

import (
	"fmt"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

const rows = `document.querySelectorAll(".space .row").length`

func TestInspectorListsWhatComes(t *testing.T) {
	v := inspect(t)
	v.await(`document.querySelector("#try").textContent === "curl -i http://localhost:9744/ping" && !document.querySelector("#empty").hidden`)
	v.await(`document.querySelector("#credentials [data-state=ready] code").textContent === "alexa"`)
	v.shoot("empty")

	running := v.pass(downchannel())
	v.await(rows + ` === 1 && document.querySelector(".row .took").textContent.includes("…") || document.querySelector(".space .row.active") !== null`)
	running.End(injected(2000), nil)
	v.await(`document.querySelector(".space .row.active") === null && document.querySelector(".space .took").textContent === "2.00 s"`)

	v.Exchanges.Clear()
	v.await(rows + ` === 0 && !document.querySelector("#empty").hidden`)
}

func TestInspectorFilters(t *testing.T) {
	v := inspect(t, day(t)...)
	v.await(rows + ` === 9`)
	v.press("/")
	v.await(`document.activeElement.id === "text"`)
	v.do(chromedp.SendKeys(chromedp.CSS("#text"), "orders"))
	v.await(rows + ` === 1 && document.querySelector("#count").dataset.shown === "1" && document.querySelector("#count").dataset.all === "9"`)
	v.await(`document.querySelector("#har").getAttribute("href") === "/har?filter=orders"`)
	v.choose("#text", "")
	v.click("#errors")
	v.await(rows + ` === 3`)
	v.click("#errors")
	for choice, n := range map[string]int{"#route=plain": 1, "#method=POST": 3, "#status=4xx": 1} {
		selector, value, _ := strings.Cut(choice, "=")
		v.choose(selector, value)
		v.await(fmt.Sprintf("%s === %d", rows, n))
		v.choose(selector, "")
	}
	v.await(rows + ` === 9`)
}

func TestInspectorTellsAnExchange(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(9)
	v.await(`document.querySelector("#panel-Summary .lead").textContent.startsWith("Sent to https://alexa.na.gateway.devices.a2z.com by route avs, with a token of its credential alexa added (12 min old, 48 min left).")`)
	v.await(`document.querySelector("#panel-Summary .lead").dataset.outcome === "injected" && document.querySelector("#panel-Summary").textContent.includes("it is the default route")`)
	if got, want := js[[]string](v, `[...document.querySelectorAll(".timing tr")].map((r) => r.innerText.replace(/\s+/g, " "))`),
		[]string{"Guard 0.1 ms", "Token 41 ms", "Connect 32 ms", "TLS 60 ms", "First byte 459 ms", "Rest 254 ms", "In all 846 ms"}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	v.shoot("detail")
	v.open(4)
	v.await(`document.querySelector(".notes [data-note=replayed]") !== null`)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response [data-interim='103']") !== null && document.querySelector("#panel-Response").textContent.includes("db;dur=53")`)
	v.await(`/Trailers.*Body/s.test(document.querySelector("#panel-Response").innerText)`) // not behind what may be long
	v.open(5)
	v.tab("Summary")
	v.await(`document.querySelector(".lead a")?.getAttribute("href") === "/login?credential=ads"`)
	v.await(`document.querySelector(".legs tbody tr:last-child").innerText.trim() === "Upstream\t–\t–\t–\t–\t–\t–"`)
	v.open(7)
	v.await(`document.querySelector("#panel-Summary .findings li:first-child").className === "error" && document.querySelector("#panel-Summary .findings li:last-child").className !== "error"`)
	v.shoot("findings")
	v.open(8)
	v.await(`document.querySelector(".notes .bad[data-note=ended]")?.textContent.includes("CANCEL")`)
}

func TestInspectorFindsInJSON(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(4)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response .tree .key")?.textContent === "payload"`)
	v.await(`!document.querySelector("#panel-Response .tree details details details").open`)
	v.do(chromedp.SendKeys(chromedp.CSS("#panel-Response .finder input"), "pending"))
	v.await(`document.querySelector("#panel-Response .finder span").textContent === "1 of 1" && CSS.highlights.get("now").size === 1`)
	v.await(`[...document.querySelectorAll("#panel-Response .tree .string")].find((s) => s.textContent === '"Pending"').checkVisibility()`)
	v.shoot("json")
	v.do(chromedp.Click(`//div[@id="panel-Response"]//button[.="Hex"]`))
	v.await(`document.querySelector("#panel-Response .hex").textContent.startsWith("00000000  7b 22 70 61 79 6c 6f 61  64")`)
}

func TestInspectorReplays(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(6)
	v.press("r")
	v.await(`location.hash === "#10" && document.querySelector("#panel-Summary [data-note=replay_of] a").getAttribute("href") === "#6"`)
	v.press("Escape")
	v.open(6)
	v.do(chromedp.Click(`//button[.="Edit and replay"]`))
	v.await(`!document.querySelector(".replay label:nth-child(4) textarea").disabled`)
	v.shoot("replay")
	v.do(chromedp.SetValue(chromedp.CSS(".replay label:nth-child(2) input"), "/things/8"),
		chromedp.SendKeys(chromedp.CSS(".replay label:nth-child(4) textarea"), " "))
	v.click(".replay button[type=submit]")
	v.await(`location.hash === "#11"`)
	want := []ReplayRequest{
		{Of: 6, Method: "PUT", Target: "/things/7", Body: []byte(`{"name":"it's 7","tags":["a","b"]}`)},
		{Of: 6, Method: "PUT", Target: "/things/8", Body: []byte(`{"name":"it's 7","tags":["a","b"]} `)},
	}
	if got := v.again(); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestInspectorOnAPhone(t *testing.T) {
	v := inspect(t, day(t)...)
	v.do(chromedp.EmulateViewport(390, 800))
	v.await(rows + ` === 9 && document.documentElement.scrollWidth <= 390 && document.querySelector(".space").offsetHeight === 9 * 50`)
	v.shoot("phone-list")
	v.click("#asks")
	v.await(`document.querySelector("#explain dl") !== null && document.querySelector("#explain").getBoundingClientRect().right <= 390`)
	v.shoot("phone-explain")
	v.press("Escape")
	v.do(chromedp.Click(chromedp.CSS("#x9")))
	v.await(`document.querySelector("#title")?.textContent.startsWith("POST") && !document.querySelector("#list").checkVisibility() && document.documentElement.scrollWidth <= 390`)
	v.await(`document.querySelector("#detail").getBoundingClientRect().bottom === 800`)
	v.tab("AVS")
	v.await(`document.querySelector(".timeline .name") !== null`)
	v.shoot("phone-detail")
	js[bool](v, `(history.back(), true)`) // as people close things on a phone
	v.await(`document.querySelector("#list").checkVisibility() && document.querySelector("#detail").hidden`)
}

func TestInspectorHoldsStillAndGoesDark(t *testing.T) {
	v := inspect(t, downchannel())
	v.await(rows + ` === 1`)
	moving := `getComputedStyle(document.querySelector(".row.active .status")).animationName`
	v.prefers("light", "no-preference")
	v.await(moving + ` === "alive"`)
	bright := js[string](v, `getComputedStyle(document.body).backgroundColor`)
	v.prefers("dark", "reduce")
	v.await(moving + ` === "none" && document.getAnimations().length === 0`)
	if dark := js[string](v, `getComputedStyle(document.body).backgroundColor`); dark == bright {
		t.Errorf("light and dark are both %s", dark)
	}
}

// TestInspectorShowsHostileThings lets everything that comes over the wire try to be
// more than text.
func TestInspectorShowsHostileThings(t *testing.T) {
	const evil = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>`
	turn := turn{method: "GET", target: "/v20160207/directives?" + evil, route: "avs", status: 200, facts: injected(1),
		request: []capture.Field{{Name: evil, Value: evil + "\x00\x1b[31m\u202egnp.exe"}}, response: testkit.Fields("Content-Type", related, "Content-Security-Policy", evil),
		answered: multipart(
			bodyPart{"Content-Type: text/html\r\nContent-ID: " + evil, evil},
			bodyPart{jsonPart, directive(evil, evil, evil, `{"`+strings.ReplaceAll(evil, `"`, `'`)+`":"\u0000\u202e"}`)},
			bodyPart{jsonPart, strings.Repeat(`[`, 3000) + strings.Repeat(`]`, 3000)},
			bodyPart{"Content-Type: application/octet-stream", strings.Repeat("\xff\x00", 8000)})}
	turn.facts.Ended = evil
	v := inspect(t, turn)
	v.quiet.Store(true) // it notes what cannot be played
	v.open(1)
	for _, tab := range []string{"Summary", "Request", "Response", "AVS"} {
		v.tab(tab)
	}
	v.await(`document.querySelectorAll("#panel-Response .part").length === 4`)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response .part").textContent.includes("<img src=x")`)
	v.shoot("hostile")
	if js[bool](v, `window.owned !== undefined || document.querySelector("#detail img, #detail script") !== null`) {
		t.Error("what came over the wire became part of the page")
	}
	if text := js[string](v, `document.body.textContent`); strings.ContainsAny(text, "\x00\x1b\u202e") {
		t.Error("the page holds characters that hide or reorder what stands around them")
	}
}

func TestInspectorLeavesAReloadWhereItWas(t *testing.T) {
	v := inspect(t, day(t)...)
	v.quiet.Store(true) // it notes the 404
	v.open(7)
	testkit.Must(chromedp.Run(v.ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Reload())))(t)
	v.await(`document.querySelector("#title")?.textContent === "POST /v20160207/events 400"`)
	js[bool](v, `(location.hash = "#99", true)`)
	v.await(`document.querySelector("#detail.gone").dataset.status === "404" && document.querySelector("#detail").textContent.includes("99")`)
	v.click("#clear")
	v.click("#clears button[value=yes]")
	v.await(rows + ` === 1 && document.querySelector("#detail").hidden`) // the downchannel still runs
	if n := len(v.Exchanges.List()); n != 1 {
		t.Errorf("%d exchanges are remembered after Clear", n)
	}
}
