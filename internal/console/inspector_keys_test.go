package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

func TestInspectorIsUsableByKeyboard(t *testing.T) {
	v := inspect(t, day(t)...)
	v.await(rows + ` === 9`)
	chosen := func(id int) {
		t.Helper()
		v.await(fmt.Sprintf(`document.querySelector("#list").getAttribute("aria-activedescendant") === "x%d"`, id))
	}
	v.press("j") // begins with the newest
	chosen(9)
	v.press("k")
	chosen(8)
	v.do(chromedp.Focus(chromedp.CSS("#list")))
	v.press("ArrowUp")
	chosen(7)
	v.press("ArrowDown")
	chosen(8)
	v.press("Enter")
	v.await(`document.querySelector("#title")?.textContent === "GET /v20160207/directives 200"`)
	v.press("k") // the open pane goes along
	v.await(`document.querySelector("#title")?.textContent === "POST /v20160207/events 400"`)
	v.press("Escape")
	v.await(`document.querySelector("#detail").hidden && document.activeElement.id === "list"`)
	v.press("p")
	v.await(`document.querySelector("#live.paused") !== null`)
	if !v.Exchanges.Paused() {
		t.Error("the recorder goes on")
	}
	v.press("p")
	v.await(`document.querySelector("#live.paused") === null`)
	v.press("?")
	v.await(`document.querySelector("#help").open`)
	v.press("Escape")
	v.await(`!document.querySelector("#help").open && document.activeElement.id === "list"`)
}

// focused names what has the focus, and says so if nobody can see it.
const focused = `((e) => (e.id || e.textContent || e.getAttribute("aria-label")) + (getComputedStyle(e).outlineStyle === "none" ? " unseen" : ""))(document.activeElement)`

// The tabulator goes through all that can be used, in the order in which it stands,
// and what it has come to is seen.
func TestInspectorHasAnOrderOfTabs(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(4)
	v.await(`document.querySelector(".now summary") !== null && !document.querySelector("#pause").hidden`)
	v.do(chromedp.Focus(chromedp.CSS("#asks")))
	order := []string{"asks", "helps", "Log in", "Status", "text", "route", "method", "status", "errors", "own", "pause", "clear", "har", "plot", "list",
		"✕", "Copy as curl", "Copy as", "copyas", "Replay", "Edit and replay", "Compare", "HAR", "tab-Summary", "panel-Summary"}
	var got []string
	for range order {
		got = append(got, js[string](v, focused))
		v.press("Tab")
	}
	if diff := cmp.Diff(order[1:], got[1:]); diff != "" { // a script's focus is not a keyboard's
		t.Error(diff)
	}
	v.do(chromedp.Focus(chromedp.CSS("#tab-Summary")))
	v.press("ArrowRight")
	v.await(`document.activeElement.id === "tab-Request" && document.querySelector("#panel-Request").checkVisibility()`)
}

// With the keyboard alone: choose, open, look at the answer, change it, send it, close.
func TestInspectorReplaysByKeyboard(t *testing.T) {
	v := inspect(t, day(t)...)
	v.await(rows + ` === 9`)
	v.do(chromedp.Focus(chromedp.CSS("#list")))
	for range 4 {
		v.press("k")
	}
	v.press("Enter")
	v.await(`document.querySelector("#title")?.textContent === "PUT /things/7 201"`)
	for range 6 {
		v.press("Tab")
	}
	v.await(`document.activeElement.textContent === "Edit and replay"`)
	v.press("Enter")
	v.await(`document.activeElement.value === "/things/7" && !document.querySelector(".replay label:nth-child(4) textarea").disabled`)
	v.press("Tab")
	v.do(chromedp.SetValue(chromedp.CSS(".replay label:nth-child(3) textarea"), "Content-Type: text/plain\nX-New: 'yes'"))
	v.press("Tab")
	v.await(`document.activeElement.value.startsWith('{"name"')`)
	v.press("!")
	v.press("Tab")
	v.await(`document.activeElement.textContent === "Send"`)
	v.press("Enter")
	v.await(`location.hash === "#10" && document.querySelector("#title")?.textContent === "PUT /things/7 201"`)
	v.tab("Request")
	v.await(`document.querySelector("#panel-Request .fields")?.innerText.includes("X-New\t'yes'")`)
	again := v.again()
	if len(again) != 1 || !strings.Contains(string(again[0].Body), "!") {
		t.Errorf("%+v", again)
	}
	v.press("Escape")
	v.await(`document.querySelector("#detail").hidden && document.activeElement.id === "list"`)
}
