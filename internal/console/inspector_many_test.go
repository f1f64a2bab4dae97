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

// frame is how long a screen shows one picture, in milliseconds.
const frame = 1000.0 / 60

// The shortest of some tries is taken: the machine has other work.
func TestInspectorStaysFluid(t *testing.T) {
	v := inspect(t)
	many := 10_000
	if raceDetected {
		many = 1000 // the detector is slow, and looks at the same code
	}
	for range many {
		v.pass(day(t)[0])
	}
	v.counts(many)
	adding := math.Inf(1)
	for i := range 5 {
		before := v.scripting()
		v.pass(day(t)[0])
		v.counts(many + i + 1)
		adding = min(adding, v.scripting()-before)
	}
	filtering := js[float64](v, `(async () => {
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
	})()`)
	t.Logf("one more of %d takes %.1f ms of scripting, a filter %.1f ms with its layout", many, adding, filtering)
	if adding > frame || filtering > frame {
		t.Errorf("they take %.1f and %.1f ms, more than a frame", adding, filtering)
	}
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
