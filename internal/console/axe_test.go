package console

import (
	"os"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/chromedp/chromedp"
)

// A violation is what axe-core found.
type violation struct {
	ID     string   `json:"id"`
	Impact string   `json:"impact"`
	Help   string   `json:"help"`
	Nodes  []string `json:"nodes"`
}

// TestInspectorIsAccessible has axe-core look at the page in its states. AXE_CORE is
// the path of axe.min.js, which .ci/run installs.
func TestInspectorIsAccessible(t *testing.T) {
	testkit.Heavy(t)
	path := testkit.NeedVariable(t, "AXE_CORE", "the path of axe.min.js, from npm install axe-core")
	axe := testkit.Must(os.ReadFile(path))(t)
	v := inspect(t)
	v.prefers("light", "reduce") // a colour that moves is judged anyhow
	v.await(`!document.querySelector("#empty").hidden`)
	testkit.Must(chromedp.Run(v.ctx, chromedp.Evaluate[chromedp.Void](string(axe))))(t)
	v.accessible("empty")
	for _, turn := range day(t) {
		v.pass(turn)
	}
	v.await(rows + ` === 9`)
	v.accessible("list")
	v.press("?")
	v.accessible("keys")
	v.press("Escape")
	v.press("e")
	v.await(`document.querySelector("#explain dl") !== null`)
	v.accessible("explain")
	v.press("Escape")
	v.choose("#text", "nothing has this")
	v.await(`document.querySelector("#relief").checkVisibility()`)
	v.accessible("filtered")
	v.choose("#text", "")
	v.await(rows + ` === 9`)
	v.open(9)
	for _, scheme := range []string{"light", "dark"} {
		v.prefers(scheme, "reduce")
		for _, tab := range []string{"Summary", "Request", "Response", "AVS"} {
			v.tab(tab)
			v.accessible(scheme + " " + tab)
		}
		v.shoot(scheme)
	}
	v.do(chromedp.Click(`//button[.="Edit and replay"]`))
	v.await(`document.querySelector(".replay") !== null`)
	v.accessible("replay")
	v.press("Escape")
	v.press("n")
	v.await(`document.querySelector("#compose").open`)
	v.accessible("compose")
	v.press("Escape")
	v.do(chromedp.Click(`//button[.="Compare"]`))
	v.await(`document.querySelector(".asks") !== null`)
	v.accessible("compare")
	v.click("#holds")
	v.accessible("hold")
	v.click("#holds")
	v.do(chromedp.Focus(chromedp.CSS("#text")))
	v.press("m")
	v.await(`!document.querySelector("#hints").hidden`)
	v.accessible("completion")
	v.choose("#text", "")
	v.do(chromedp.EmulateViewport(390, 800))
	v.accessible("phone")
}

func (v *visit) accessible(state string) {
	v.t.Helper()
	found := js[[]violation](v, `axe.run().then((r) => r.passes.length < 15 ? [{id: "axe looked at next to nothing"}] : r.violations.map(({id, impact, help, nodes}) => ({id, impact, help, nodes: nodes.map((n) => n.html.slice(0, 200) + " " + (n.any[0]?.message || ""))})))`)
	for _, f := range found {
		v.t.Errorf("%s: %s (%s): %s: %q", state, f.ID, f.Impact, f.Help, f.Nodes)
	}
}
