package console

import "testing"

const answer1 = `[...document.querySelectorAll("#answer dl div")].map((d) => [...d.children].map((c) => c.textContent).join(" = ")).join("; ")`

func TestInspectorExplainsAnyRequest(t *testing.T) {
	v := inspect(t, day(t)...)
	v.quiet.Store(true) // it notes the 400
	v.await(rows + ` === 9`)
	v.press("e") // begins with the request that is worth a try
	v.await(answer1 + ` === "Route = avs: it is the default route; Allowed = yes: GET http://localhost:9744/ping; Token = injected"`)
	v.choose("#asked [name=url]", "nowhere")
	v.press("Enter")
	v.await(`document.querySelector("#answer [data-code=bad_request]") !== null`)
	v.press("p") // a letter like others here
	v.press("Escape")
	v.await(`!document.querySelector("dialog[open]")`)
	if v.Exchanges.Paused() {
		t.Error("a letter in the dialog paused the recorder")
	}
	v.open(6)
	v.click("#asks")
	v.await(answer1 + `.includes("Allowed = yes: PUT http://plain.localhost:9744/things/7;")`)
	v.shoot("explain")
}

func TestInspectorSaysWhatWouldBecomeOfAnExchange(t *testing.T) {
	v := inspect(t, day(t)...)
	v.open(6)
	v.await(`document.querySelector(".now summary")?.checkVisibility() && !document.querySelector(".now dl").checkVisibility()`)
	v.click(".now summary")
	v.await(`document.querySelector(".now dl").textContent.includes("yes: PUT http://plain.localhost:9744/things/7")`)
}
