package console

import (
	"fmt"
	"strings"
	"testing"

	"avsproxy/internal/testkit"

	"github.com/chromedp/chromedp"
)

const times = `[...document.querySelectorAll(".timeline time")].map((t) => t.firstChild?.data || "")`

// TestInspectorShowsADownchannelGrow also looks at it anew: the times of directives
// are those at which they came, not those at which somebody looked.
func TestInspectorShowsADownchannelGrow(t *testing.T) {
	v := inspect(t, day(t)[0])
	stream := v.pass(downchannel())
	v.open(2)
	v.tab("AVS")
	v.await(`document.querySelector(".timeline .name")?.textContent === "Alerts.SetAlert"`)
	for i, name := range []string{"Play", "Stop", "ClearQueue"} {
		stream.ResponseData(growth(directive("AudioPlayer", name, "dialog-9c44", `{"playBehavior":"REPLACE_ALL"}`)))
		v.await(fmt.Sprintf(`document.querySelectorAll(".timeline .name").length === %d`, i+2))
	}
	v.await(`document.querySelector(".timeline li:last-child .soft").textContent.startsWith(" +")`)
	v.shoot("downchannel")
	before := js[[]string](v, times)
	stream.End(injected(9000), nil)
	v.await(`!document.querySelector(".space .row.active")`)
	v.open(1)
	v.open(2)
	v.await(`document.querySelectorAll(".timeline .name").length === 4`)
	after := js[[]string](v, times)
	if len(after) != 4 || strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("they came at %q, and later at %q", before, after)
	}
	for _, at := range after {
		if len(at) != len("21:04:11.000") {
			t.Errorf("a directive came at %q", at)
		}
	}
}

func TestInspectorShowsPartsAsTheyArrive(t *testing.T) {
	v := inspect(t)
	x := downchannel()
	x.answered = nil
	stream := v.pass(x)
	v.open(1)
	v.tab("Response")
	message := growth(directive("Speaker", "SetVolume", "", `{"volume":7}`))
	half := len(message) / 2
	stream.ResponseData(message[:half])
	v.await(`document.querySelector(".part")?.dataset.lack === "arriving"`)
	stream.ResponseData(message[half:])
	v.await(`document.querySelector(".part h4").textContent.startsWith("Speaker.SetVolume") && document.querySelector(".part").dataset.lack === undefined`)
	stream.ResponseData([]byte(jsonPart + "\r\n\r\n{"))
	cut := injected(40)
	cut.Ended = "the client hung up"
	stream.End(cut, nil)
	v.await(`document.querySelectorAll(".part")[1]?.dataset.lack === "broken"`)
	v.await(`document.querySelector("#panel-Response .tools[data-broken]") !== null`)
}

func TestInspectorPlaysAudio(t *testing.T) {
	v := inspect(t, recognition(t))
	v.open(1)
	v.tab("AVS")
	v.await(`document.querySelectorAll("#panel-AVS audio").length === 2`)
	v.plays(0, "L16, 16 kHz, mono, 1.00 s")
	v.plays(1, "MP3, 24 kHz, mono, 4.85 s")
	v.shoot("avs")
}

// plays has the browser play a sound of the AVS view.
func (v *visit) plays(i int, about string) {
	v.t.Helper()
	sound := fmt.Sprintf(`document.querySelectorAll("#panel-AVS audio")[%d]`, i)
	v.await(sound + `.duration > 0.2 && isFinite(` + sound + `.duration)`)
	if got := js[string](v, sound+`.nextSibling.textContent`); got != about {
		v.t.Errorf("audio %d is %q, want %q", i, got, about)
	}
	v.await(`(async () => { const a = ` + sound + `; a.muted = true; await a.play(); return a.currentTime > 0.05; })()`)
}

// speaks is an event with bare Opus, as devices send it.
func speaks(t *testing.T) turn {
	x := recognition(t)
	x.sent = multipart(
		bodyPart{"Content-Disposition: form-data; name=\"metadata\"\r\n" + jsonPart, strings.ReplaceAll(recognizeEvent, "AUDIO_L16_RATE_16000_CHANNELS_1", "OPUS")},
		bodyPart{"Content-Disposition: form-data; name=\"audio\"\r\nContent-Type: application/octet-stream", opusPackets(t)})
	return x
}

// The browser's own decoder makes a second of sound of it, and no silence.
func TestInspectorPlaysBareOpus(t *testing.T) {
	v := inspect(t, speaks(t))
	v.open(1)
	v.tab("AVS")
	v.await(`document.querySelectorAll("#panel-AVS audio").length === 2`)
	v.plays(0, "Opus, 16 kHz, mono, 1.14 s")
	type sound struct {
		Seconds, Loudness float64
		Channels          int
	}
	got := js[sound](v, `(async () => {
		const answer = await fetch(document.querySelector("#panel-AVS audio").src);
		const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(await answer.arrayBuffer());
		const samples = sound.getChannelData(0);
		return { Seconds: sound.duration, Channels: sound.numberOfChannels, Loudness: Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length) };
	})()`)
	if got.Channels != 1 || got.Seconds < 1.13 || got.Seconds > 1.15 || got.Loudness < 0.03 {
		t.Errorf("it is decoded to %+v", got)
	}
}

func TestInspectorSaysWhatCannotBePlayed(t *testing.T) {
	x := turn{method: "GET", target: "/sound", route: "avs", status: 200, facts: injected(4), response: testkit.Fields("Content-Type", "audio/x-unheard-of"), answered: []byte("no sound")}
	v := inspect(t, x)
	v.quiet.Store(true)
	v.open(1)
	v.do(chromedp.Click(chromedp.CSS("#tab-Response")))
	v.await(`document.querySelector("#panel-Response .view [data-unplayable]") !== null`)
}
