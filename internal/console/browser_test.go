package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
	"avsproxy/internal/testkit/browser"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// A visit is a browser that has the inspector open.
type visit struct {
	*desk
	ctx   context.Context
	quiet atomic.Bool // the browser's complaints are no failures

	mu       sync.Mutex
	replayed []ReplayRequest
}

// inspect opens the page of a console that remembers these turns.
func inspect(t *testing.T, turns ...turn) *visit {
	t.Helper()
	return inspectWith(t, func(*Console) {}, turns...)
}

func inspectWith(t *testing.T, change func(*Console), turns ...turn) *visit {
	t.Helper()
	testkit.Heavy(t)
	v := &visit{desk: start(t, setup{})}
	v.login()
	v.Exchanges = capture.New(capture.Options{EventName: avs.EventName})
	v.Replay = v.replay
	v.Explain = explained
	change(v.Console)
	v.quiet.Store(v.Exchanges == nil) // the browser notes each 404
	for _, turn := range turns {
		v.pass(turn)
	}
	v.ctx = browser.Start(t)
	v.listen()
	v.do(chromedp.EmulateViewport(1400, 860), chromedp.Navigate(v.url+"/"))
	return v
}

// explained is an explanation as the program gives it.
func explained(method, url string) (any, error) {
	if !strings.Contains(url, "/") {
		return nil, fmt.Errorf("%q is no URL", url)
	}
	return map[string]any{"credential": "alexa", "text": []string{"Route: avs: it is the default route", "Allowed: yes: " + method + " " + url, "Token: injected"}}, nil
}

// replay remembers an exchange as if it had been sent again.
func (v *visit) replay(_ context.Context, again ReplayRequest) (uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replayed = append(v.replayed, ReplayRequest{Of: again.Of, Method: again.Method, Target: again.Target, Body: again.Body})
	e := v.Exchanges.Begin(capture.Request{Began: time.Now(), Route: again.Route, Method: again.Method, Scheme: again.Scheme, Host: again.Host, Target: again.Target, Header: again.Header, ReplayOf: again.Of})
	e.RequestData(again.Body)
	e.RequestEnd(nil, nil)
	e.Response(head(201, "HTTP/2.0"), nil)
	e.End(injected(40), nil)
	return e.ID(), nil
}

func (v *visit) again() []ReplayRequest {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.replayed
}

// listen takes every complaint of the browser as a failure: an exception, a script or
// a style that the policy forbids, a request that was refused.
func (v *visit) listen() {
	v.t.Helper()
	ctx, cancel := context.WithCancel(v.ctx)
	messages := chromedp.Console(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || (m.Type == "error" && !v.quiet.Load()) {
				v.t.Errorf("the browser complains: %s", m)
			}
		}
	}()
	v.t.Cleanup(func() { cancel(); <-ended })
}

func (v *visit) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	testkit.NoError(v.t, chromedp.Do(v.ctx, steps...))
}

// js evaluates an expression, or waits for the promise that it is.
func js[T any](v *visit, expression string) T {
	v.t.Helper()
	value, err := chromedp.Run(v.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// await waits until an expression holds; what it looks at may not be there yet.
func (v *visit) await(expression string) {
	v.t.Helper()
	patient := `(() => { try { return !!(` + expression + `) } catch { return false } })()`
	ctx, cancel := context.WithTimeout(v.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](patient)); err != nil {
		v.t.Fatalf("%s: %v\nthe page says:\n%s", expression, err, js[string](v, `document.body.innerText`))
	}
}

// press sends one key as a keyboard does, by its name or its character.
func (v *visit) press(key string) {
	v.t.Helper()
	params := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Code: key}
	if len(key) == 1 {
		params.Text = key
	} else if key == "Enter" {
		params.Text = "\r"
	}
	params.WindowsVirtualKeyCode = map[string]int64{"Tab": 9, "Enter": 13, "Escape": 27}[key] // for what the browser does with them
	v.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, params); err != nil {
			return err
		}
		params.Type, params.Text = input.DispatchKeyEventTypeKeyUp, ""
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, params)
		return err
	}))
}

func (v *visit) click(selector string) {
	v.t.Helper()
	v.do(chromedp.Click(chromedp.CSS(selector)))
}

// open opens an exchange as a click does. It waits until the row is at rest and
// nothing lies over it: a click goes to a place, and the row of an exchange that
// has just come still moves.
func (v *visit) open(id uint64) {
	v.t.Helper()
	v.await(fmt.Sprintf(`document.querySelector("#x%d") !== null`, id))
	js[bool](v, fmt.Sprintf(`new Promise((done) => {
		let last = "";
		const look = () => {
			const row = document.querySelector("#x%d");
			row.scrollIntoView({block: "nearest"});
			const {x, y, width, height} = row.getBoundingClientRect();
			const now = [x, y, width, height].join();
			if (now === last && row.contains(document.elementFromPoint(x + width / 2, y + height / 2))) return done(true);
			last = now;
			setTimeout(() => requestAnimationFrame(look), 50);
		};
		look();
	})`, id))
	v.click(fmt.Sprintf("#x%d", id))
	v.await(fmt.Sprintf(`document.querySelector(".about")?.dataset.id === "%d"`, id))
}

func (v *visit) tab(name string) {
	v.t.Helper()
	v.click("#tab-" + name)
	v.await(`document.querySelector("#panel-` + name + `").checkVisibility()`)
}

// choose picks an option as a person does.
func (v *visit) choose(selector, value string) {
	v.t.Helper()
	js[bool](v, fmt.Sprintf(`((s) => { s.value = %q; return s.dispatchEvent(new Event("input", {bubbles: true})); })(document.querySelector(%q))`, value, selector))
}

// prefers has the browser ask for light or dark pages, and for motion or none
// ("no-preference", "reduce").
func (v *visit) prefers(scheme, motion string) {
	v.t.Helper()
	v.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion}},
		})
		return err
	}))
}

// shoot keeps a picture of the page, where somebody wants to see it.
func (v *visit) shoot(name string) {
	v.t.Helper()
	folder := os.Getenv("AVSPROXY_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture := testkit.Must(chromedp.Run(v.ctx, chromedp.CaptureScreenshot()))(v.t)
	testkit.NoError(v.t, os.MkdirAll(folder, 0o755))
	testkit.NoError(v.t, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644))
}
