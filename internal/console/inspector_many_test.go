package console

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

func TestInspectorAtAThousandExchanges(t *testing.T) {
	v := inspect(t)
	for i := range 1500 {
		turn := day(t)[0]
		turn.target = fmt.Sprintf("/ping?n=%d", i+1)
		v.pass(turn)
	}
	v.counts(1500)
	if n := js[int](v, `document.querySelectorAll("*").length`); n > 1500 {
		t.Errorf("%d elements for 1500 exchanges", n)
	}
	v.await(`[...document.querySelectorAll(".space .target")].some((e) => e.textContent === "/ping?n=1500" && e.checkVisibility())`) // follows
	js[bool](v, `(document.querySelector("#list").scrollTop = 0, true)`)
	v.await(`document.querySelector(".space .target").textContent.startsWith("/ping?n=")`)
	v.pass(day(t)[0])
	v.await(`!document.querySelector("#newer").hidden && document.querySelector("#list").scrollTop === 0`) // does not pull away
	v.shoot("thousand")
	v.click("#newer")
	v.await(`document.querySelector("#newer").hidden && document.querySelector("#list").scrollTop > 40000`)
}

// A phone shows the list or an exchange, and the list again where it was.
func TestInspectorKeepsItsPlaceOnAPhone(t *testing.T) {
	v := inspect(t)
	v.do(chromedp.EmulateViewport(390, 800))
	for range 60 {
		v.pass(day(t)[0])
	}
	v.counts(60)
	js[bool](v, `(document.querySelector("#list").scrollTop = 1000, true)`)
	v.open(25)
	v.await(`!document.querySelector("#list").checkVisibility()`)
	v.pass(day(t)[0])
	v.await(`document.querySelector("#count").dataset.all === "61"`)
	js[bool](v, `(history.back(), true)`)
	v.counts(61)
	v.await(`document.querySelector("#list").scrollTop === 1000 && document.querySelector("#x25").checkVisibility()`)
}

func (v *visit) counts(n int) {
	v.t.Helper()
	v.await(fmt.Sprintf(`document.querySelector("#list").getAttribute("aria-rowcount") === "%d"`, n+1))
}

// dearest is how many times as dear the page may become by ten times as many exchanges. Work for each of them
// would make it ten times.
const dearest = 5

func TestInspectorStaysFluid(t *testing.T) {
	v := inspect(t)
	many := 10_000
	if raceDetected {
		many = 1000 // the detector is slow, and looks at the same code
	}
	few := v.spent(0, many/10)
	all := v.spent(many/10+spentTries, many)
	t.Logf("of %d: one more takes %.1f ms of scripting, a filter %.1f ms with its layout; of %d: %.1f and %.1f ms", many/10, few.adding, few.filtering, many, all.adding, all.filtering)
	if all.adding > dearest*few.adding || all.filtering > dearest*few.filtering {
		t.Errorf("ten times as many take more than %d times as long", dearest)
	}
}

// A spent is what a page with many exchanges takes, in milliseconds: the shortest of some tries,
// for the machine has other work.
type spent struct{ adding, filtering float64 }

const spentTries = 5

// spent fills the page from so many exchanges up to many, and adds some more.
func (v *visit) spent(from, many int) spent {
	v.t.Helper()
	for range many - from {
		v.pass(day(v.t)[0])
	}
	v.counts(many)
	adding := math.Inf(1)
	for i := range spentTries {
		before := v.scripting()
		v.pass(day(v.t)[0])
		v.counts(many + i + 1)
		adding = min(adding, v.scripting()-before)
	}
	return spent{adding, js[float64](v, `(async () => {
		const text = document.querySelector("#text"), spent = [];
		for (const wanted of ["p", "pi", "pin", "nothing", "p", ""]) {
			text.value = wanted;
			const began = performance.now();
			text.dispatchEvent(new Event("input", { bubbles: true }));
			void document.body.offsetHeight;
			spent.push(performance.now() - began);
			await new Promise(requestAnimationFrame);
		}
		return Math.min(...spent);
	})()`)}
}

// scripting is for how long the page's scripts have run, in milliseconds.
func (v *visit) scripting() (ms float64) {
	v.t.Helper()
	v.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, performance.Enable, performance.EnableParams{}); err != nil {
			return err
		}
		told, err := chromedp.Call(ctx, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, metric := range told.Metrics {
			if metric.Name == "ScriptDuration" {
				ms = 1000 * metric.Value
			}
		}
		return nil
	}))
	return ms
}
