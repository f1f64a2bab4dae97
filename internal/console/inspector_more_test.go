package console

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"avsproxy/internal/breakpoint"
	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
	"avsproxy/internal/websocket"

	"github.com/chromedp/chromedp"
)

// The field knows the language, completes it, says what is wrong, and the address keeps it.
func TestInspectorSpeaksTheFilterLanguage(t *testing.T) {
	v := inspect(t, day(t)...)
	v.await(rows + ` === 9`)
	v.press("/")
	v.do(chromedp.SendKeys(chromedp.CSS("#text"), "met"))
	v.await(`document.querySelector("#hints li code").textContent === "method:" && !document.querySelector("#hints").hidden`)
	v.shoot("filter")
	v.press("ArrowDown")
	v.press("Enter")
	v.await(`document.querySelector("#text").value === "method:" && document.querySelectorAll("#hints li").length === 3`)
	v.do(chromedp.SendKeys(chromedp.CSS("#text"), "PO"))
	v.press("ArrowDown")
	v.press("Tab")
	v.await(`document.querySelector("#text").value === "method:POST " && ` + rows + ` === 3`)
	v.await(`new URLSearchParams(location.search).get("filter") === "method:POST"`)
	for filter, n := range map[string]int{"body:pending": 1, "status:>=400 -method:POST": 1, "/ORDERS|things/": 1, "took:>1s": 2, `"token added" is:done`: 6} {
		v.choose("#text", filter)
		v.await(fmt.Sprintf("%s === %d", rows, n))
	}
	v.quiet.Store(true) // the browser notes each 400
	v.choose("#text", "stauts:4")
	v.await(`document.querySelector("#wrong").textContent.includes("did you mean status:") && document.querySelector("#text").ariaInvalid === "true"`)
	v.choose("#text", "method:PUT")
	v.await(rows + ` === 1 && document.querySelector("#wrong").textContent === ""`)
	put := v.pass(day(t)[5]) // what comes later is judged, too
	v.await(rows + ` === 2`)
	put.End(injected(1), nil)
	v.do(chromedp.Navigate(v.url + "/?filter=method:GET#4"))
	v.await(`document.querySelector("#text").value === "method:GET" && document.querySelector("#title")?.textContent.includes("/orders")`)
	v.await(`document.querySelector("#x4").getAttribute("aria-selected") === "true"`)
}

func TestInspectorSortsAndDraws(t *testing.T) {
	v := inspect(t, day(t)...)
	v.await(rows + ` === 9`)
	first := `[...document.querySelectorAll(".space .row")].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)[0].id`
	v.click(`[data-column="took"] button`)
	v.await(`document.querySelector('[data-column="took"]').ariaSort === "ascending" && ` + first + ` === "x5"`)
	v.click(`[data-column="took"] button`)
	v.await(`document.querySelector('[data-column="took"]').ariaSort === "descending"`)
	v.click(`[data-column="took"] button`)
	v.await(`document.querySelector('[data-column="time"]').ariaSort === "ascending" && ` + first + ` === "x1"`)
	v.await(`document.querySelectorAll(".row .fall .bar").length === 9 && document.querySelectorAll("#timeline rect.good").length > 0`)
	v.await(`document.querySelector("#plot").ariaLabel.includes("alexa") && document.querySelector("#timeline .mark.healed") !== null`)
	v.do(chromedp.Focus(chromedp.CSS("#plot")))
	v.press("ArrowRight")
	v.await(rows + ` < 9 && !document.querySelector(".brush").hidden`)
	v.shoot("brush")
	v.press("Escape")
	v.await(rows + ` === 9 && document.querySelector(".brush").hidden`)
	v.press("k")
	v.await(`document.querySelector("#title") !== null`) // k opens what it chooses
}

func TestInspectorShowsWhatTheProxyAsksFor(t *testing.T) {
	v := inspect(t, day(t)...)
	own := v.Exchanges.Begin(capture.Request{Own: capture.OwnRenewal, Began: time.Now(), Method: "POST", Scheme: "https", Host: "login.example", Target: "/token", NoBody: true})
	own.Response(exchange.Facts{Status: 400, Credential: "alexa"}, nil)
	own.End(exchange.Facts{Status: 400, Error: "invalid_grant", Credential: "alexa", Took: ms(3)}, nil)
	v.await(rows + ` === 9`)
	v.click("#own")
	v.await(rows + ` === 10 && document.querySelector("#x10 .decision").textContent === "own: renewal" && document.querySelector(".mark.refused") !== null`)
	v.click("#own")
	v.choose("#text", "is:own")
	v.await(rows + ` === 1`)
}

// What is copied runs: the programs are Python's, Go's and Node's own.
func TestInspectorCopiesPrograms(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(6)
	for language, want := range map[string]string{"fetch": "await fetch(", "python": "requests.request(", "go": "http.NewRequest("} {
		v.choose("#copyas", language)
		v.do(chromedp.Click(`//button[.="Copy as"]`))
		v.await(`document.querySelector(".command pre")?.textContent.includes(` + fmt.Sprintf("%q", want) + `)`)
		code := js[string](v, `document.querySelector(".command pre").textContent`)
		dir := t.TempDir()
		var check *exec.Cmd
		switch language {
		case "fetch":
			check = exec.Command(testkit.NeedTool(t, "node"), "--check", testkit.File(t, "x.mjs", code))
		case "python":
			check = exec.Command(testkit.NeedTool(t, "python3"), "-m", "py_compile", testkit.File(t, "x.py", code))
		case "go":
			testkit.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(code), 0o600))
			check = exec.Command("go", "vet", filepath.Join(dir, "main.go"))
		}
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", language, err, out, code)
		}
		if !strings.Contains(code, `it's 7`) {
			t.Errorf("%s lacks the body:\n%s", language, code)
		}
	}
}

func TestInspectorComparesAndComposes(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(3)
	v.open(9)
	v.do(chromedp.Click(`//button[.="Compare"]`))
	v.await(`document.querySelector(".compare")?.ariaLabel === "Exchange 9 beside 3"`)
	v.await(`[...document.querySelectorAll(".compare .differs th")].some((h) => h.textContent === "Status") && document.querySelector(".diff") !== null`)
	v.shoot("compare")
	v.press("Escape")
	v.press("n")
	v.await(`document.querySelector("#compose").open && document.querySelectorAll("#new select option").length === 2`)
	v.do(chromedp.SetValue(chromedp.CSS("#new [name=method]"), "post"), chromedp.SetValue(chromedp.CSS("#new [name=target]"), "/made?x=1"),
		chromedp.SetValue(chromedp.CSS("#new [name=headers]"), "X-Made: yes"), chromedp.SetValue(chromedp.CSS("#new [name=body]"), "hello"))
	v.shoot("compose")
	v.do(chromedp.Click(chromedp.CSS("#new button")))
	v.await(`location.hash === "#10" && document.querySelector("#title")?.textContent.startsWith("POST /made?x=1")`)
	if again := v.again(); len(again) != 1 || string(again[0].Body) != "hello" || again[0].Method != "POST" {
		t.Errorf("%+v", again)
	}
	v.tab("Request")
	v.await(`document.querySelector('#panel-Request [aria-label="Query"]').innerText.includes("x\t1")`)
}

func TestInspectorShowsStreamsOfMessages(t *testing.T) {
	v := inspect(t)
	pass := func(status int, contentType, body string) *capture.Exchange {
		e := v.Exchanges.Begin(capture.Request{Began: time.Now(), Method: "GET", Scheme: "http", Host: "localhost:9744", Target: "/x", NoBody: true, Route: "plain"})
		facts := exchange.Facts{Status: status, TokenAge: -1, TokenLeft: -1, Lasts: true}
		e.Response(facts, testkit.Fields("Content-Type", contentType))
		e.ResponseData([]byte(body))
		return e
	}
	pass(200, "text/event-stream", "event: price\nid: 7\ndata: {\"eur\": 12}\n\n: alive\n\n")
	pass(200, "application/grpc", "\x00\x00\x00\x00\x0d\x0a\x05hello\x12\x04\x08\x96\x01\x10")
	socket := pass(101, "", "")
	socket.Message(true, websocket.Message{Opcode: websocket.Text, Data: []byte(`{"subscribe": "prices"}`), Size: 23})
	socket.Message(false, websocket.Message{Opcode: websocket.Binary, Data: []byte{0xff, 1}, Size: 2})
	v.open(1)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response .messages li .name")?.textContent.startsWith("price id 7") && document.querySelector("#panel-Response .messages .number").textContent === "12" && document.querySelector("#panel-Response .messages time").textContent !== ""`)
	v.open(2)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response .messages .tree .string")?.textContent === '"hello"'`)
	v.open(3)
	v.tab("Messages")
	v.await(`document.querySelectorAll("#panel-Messages li").length === 2 && document.querySelector("#panel-Messages li.client").textContent.includes("prices") && document.querySelector("#panel-Messages li.upstream .hex") !== null`)
	socket.Message(false, websocket.Message{Opcode: websocket.Close, Data: []byte("\x03\xe9bye"), Size: 5})
	v.await(`document.querySelector("#panel-Messages ol").textContent.includes("code 1001")`)
	v.shoot("messages")
}

func TestInspectorPreviewsHarmlessly(t *testing.T) {
	var picture bytes.Buffer
	testkit.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))))
	const page = `<!doctype html><title>x</title><h1>Prices &amp; more</h1><script>window.owned=1</script><p onclick="x">One<br>two <a href="javascript:1">link</a><img src="http://evil/" alt="chart"></p><table><tr><td>7</td></tr></table>`
	turnOf := func(contentType, body string) turn {
		return turn{method: "GET", target: "/x", route: "plain", status: 200, facts: injected(1), response: testkit.Fields("Content-Type", contentType), answered: []byte(body)}
	}
	v := inspect(t, turnOf("image/png", picture.String()), turnOf("text/html", page), turnOf("application/xml", `<a><b x="1">text</b><c/><d><e>1</e></d></a>`))
	v.open(1)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response img.picture")?.naturalWidth === 8`)
	v.open(2)
	v.await(`document.querySelector(".previewed h3")?.textContent === "Prices & more" && document.querySelector(".previewed td").textContent === "7"`)
	v.shoot("preview")
	if js[bool](v, `window.owned !== undefined || document.querySelector(".previewed img, .previewed script, .previewed [href]") !== null || document.querySelector(".previewed").textContent.includes("owned")`) {
		t.Error("the preview is more than text")
	}
	v.open(3)
	v.await(`document.querySelector("#panel-Response pre")?.textContent === '<a>\n  <b x="1">text</b>\n  <c/>\n  <d>\n    <e>1</e>\n  </d>\n</a>'`)
}

func TestInspectorHoldsRequests(t *testing.T) {
	v := inspectWith(t, func(c *Console) { c.Points = new(breakpoint.Points) }, day(t)...)
	v.click("#holds")
	v.do(chromedp.SetValue(chromedp.CSS("#holding [name=filter]"), "method:POST"), chromedp.Click(chromedp.CSS("#holding button")))
	testkit.Eventually(t, "the breakpoint", v.Points.Armed)
	answered := make(chan string, 2)
	send := func() {
		r, _ := http.NewRequest("POST", "http://localhost/held", strings.NewReader("as sent"))
		r.Header.Set("X-Plain", "1")
		out, _, err := v.Points.OnRequest(t.Context(), breakpoint.About{Exchange: 3, Method: "POST", Target: "/held"}, r)
		if err != nil {
			answered <- err.Error()
			return
		}
		body := make([]byte, 99)
		n, _ := out.Body.Read(body)
		answered <- fmt.Sprint(out.Method, " ", out.URL.Path, " ", out.Header.Get("X-Plain"), " ", string(body[:n]))
	}
	go send()
	v.await(`document.querySelector(".card input").value === "POST" && document.querySelector(".card textarea:nth-of-type(2)").value === "as sent"`)
	v.shoot("hold")
	v.do(chromedp.SetValue(chromedp.CSS(".card [aria-label=Target]"), "/other"), chromedp.SetValue(chromedp.CSS(".card [aria-label=Headers]"), "X-Plain: 2"), chromedp.SetValue(chromedp.CSS(".card [aria-label=Body]"), "changed"))
	v.decide(0)
	if got := <-answered; got != "POST /other 2 changed" {
		t.Error(got)
	}
	go send()
	v.await(`document.querySelector(".card") !== null`)
	v.decide(1)
	if got := <-answered; got != breakpoint.ErrDropped.Error() {
		t.Error(got)
	}
	go send()
	v.await(`document.querySelector(".card") !== null`)
	v.do(chromedp.Click(chromedp.CSS("#holding button"))) // stops
	if got := <-answered; got != "POST /held 1 as sent" {
		t.Error(got)
	}
	testkit.Eventually(t, "the breakpoint to go", func() bool { return !v.Points.Armed() })
}

// decide presses a button of the message that is held, wherever that has moved.
func (v *visit) decide(button int) {
	v.t.Helper()
	js[bool](v, fmt.Sprintf(`(document.querySelectorAll(".card .buttons button")[%d].click(), true)`, button))
	v.await(`document.querySelector(".card") === null`)
}

func TestInspectorImportsHAR(t *testing.T) {
	v := inspect(t, day(t)...)
	v.await(rows + ` === 9`)
	har := v.ask("GET", "/har").text
	entry := `{"startedDateTime":"2026-01-02T03:04:05Z","time":12,"request":{"method":"GET","url":"https://other.example/imported?a=1","httpVersion":"HTTP/2","headers":[{"name":"X-H","value":"1"}]},"response":{"status":418,"headers":[],"content":{"size":2,"mimeType":"text/plain","text":"` + base64.StdEncoding.EncodeToString([]byte("hi")) + `","encoding":"base64"}},"timings":{}}`
	file := testkit.File(t, "some.har", strings.Replace(har, `"entries":[`, `"entries":[`+entry+`,`, 1))
	v.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	v.await(rows + ` === 10 && document.querySelector("#imported").textContent.includes("some.har: 10 exchanges of a file")`)
	v.open(1e9)
	v.await(`document.querySelector("#title").textContent === "GET /imported?a=1 418"`)
	v.tab("Response")
	v.await(`document.querySelector("#panel-Response pre")?.textContent === "hi"`)
	v.shoot("imported")
	v.pass(day(t)[0])
	v.click("#imported button")
	v.await(rows + ` === 10 && document.querySelector("#imported").hidden && document.querySelector("#x10") !== null`)
	v.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{testkit.File(t, "no.har", "{}")}))
	v.await(`document.querySelector("#said").textContent.includes("it is no HAR")`)
}

// The status page tells all that 'avsproxy status' does, and what became of the traffic, without a script.
func TestStatusPageTellsAll(t *testing.T) {
	v := inspect(t, day(t)...)
	v.Routes[0].Probe = nil
	v.await(rows + ` === 9`)
	v.do(chromedp.Navigate(v.url + "/status"))
	v.await(`document.querySelectorAll(".chart rect").length > 0 && document.querySelector(".chart svg").ariaLabel.startsWith("9 requests in the last hour")`)
	v.await(`document.body.innerText.includes("p99") && document.body.innerText.includes("upstream 3") && document.body.innerText.includes("#2 GET /v20160207/directives")`)
	v.await(`document.body.innerText.includes("Scopes alexa:all")`)
	v.shoot("status")
	v.do(chromedp.Navigate(v.url + "/login"))
	v.await(`document.querySelector("button") !== null`)
	v.shoot("login")
	v.do(chromedp.Navigate(v.url + "/logout?credential=alexa"))
	v.do(chromedp.Click(`//button[.="Log out"]`), chromedp.WaitVisible(chromedp.CSS("section[data-credential=alexa] .bad")))
}
