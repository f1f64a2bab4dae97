package console

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
)

func example(t *testing.T, name string) string {
	t.Helper()
	text := testkit.Must(os.ReadFile("../../examples/" + name))(t)
	return string(text)
}

const formData = "multipart/form-data; boundary=b"

// recognize is the request of the examples, as curl sends it, and AVS's answer to it.
func recognize(t *testing.T) told {
	t.Helper()
	speech := testkit.Must(os.ReadFile("../sandbox/speech/speak.mp3"))(t)
	var answer bytes.Buffer
	related := avs.NewRelatedWriter(&answer, "answer")
	speak := avs.Directive{
		Header:  avs.Header{Namespace: "SpeechSynthesizer", Name: "Speak", MessageID: "m-2", DialogRequestID: "d-1"},
		Payload: avs.SpeechPayload{ContentID: "speech", Token: "t"},
	}
	text := testkit.Must(speak.MarshalJSON())(t)
	for _, err := range []error{
		related.Open(),
		related.Write(avs.Part{ContentType: avs.JSONType, ContentID: related.StartID(), Body: text}),
		related.Last(avs.Part{ContentType: avs.AudioType, ContentID: "speech", Body: speech}),
	} {
		testkit.NoError(t, err)
	}
	return told{
		route: "avs", method: "POST", target: avs.PathEvents, status: 200,
		requestHead: fields("Content-Type", formData), answerHead: testkit.Fields("Content-Type", related.ContentType()),
		request:  form("metadata", "application/json; charset=UTF-8", example(t, "recognize.json"), "audio", "application/octet-stream", example(t, "what-time-is-it.wav")),
		response: answer.String(),
	}
}

// form is a message of parts: name, content type, content.
func form(parts ...string) string {
	var text strings.Builder
	for i := 0; i < len(parts); i += 3 {
		fmt.Fprintf(&text, "--b\r\nContent-Disposition: form-data; name=%q\r\nContent-Type: %s\r\n\r\n%s\r\n", parts[i], parts[i+1], parts[i+2])
	}
	return text.String() + "--b--\r\n"
}

func (d *desk) partsOf(side string) []Part {
	d.t.Helper()
	a := d.ask("GET", "/api/exchanges/1/"+side+"/parts")
	want(d.t, a, 200)
	return decode[Parts](d.t, a).Parts
}

// withRoom is a desk that keeps whole bodies of the examples.
func withRoom(t *testing.T) *desk {
	d := inspecting(t)
	d.Exchanges = capture.New(capture.Options{Body: 1 << 20})
	return d
}

func TestPartsOfARecognizeExchange(t *testing.T) {
	d := withRoom(t)
	x := recognize(t)
	d.remember(x)
	sent := d.partsOf("request")
	if len(sent) != 2 || sent[0].Name != "metadata" || sent[1].Name != "audio" || !sent[0].Complete || !sent[1].Complete {
		t.Fatalf("%+v", sent)
	}
	if m := sent[0].Message; m == nil || !m.Is("SpeechRecognizer", "Recognize") || m.DialogRequestID != "d-1" || !strings.Contains(string(sent[0].JSON), `"NEAR_FIELD"`) {
		t.Errorf("%+v %s", m, sent[0].JSON)
	}
	if audio := sent[1].Audio; audio == nil || audio.Format != "WAV" || audio.Rate != 16000 || audio.Channels != 1 || audio.Seconds < 0.5 {
		t.Errorf("%+v", audio)
	}
	if !strings.HasPrefix(sent[1].Headers, "Content-Disposition: form-data") || sent[1].JSON != nil || sent[1].Size != len(example(t, "what-time-is-it.wav")) {
		t.Errorf("%+v", sent[1])
	}
	got := d.partsOf("response")
	if len(got) != 2 || got[0].Message == nil || !got[0].Message.Is("SpeechSynthesizer", "Speak") || got[1].ContentID != "speech" {
		t.Fatalf("%+v", got)
	}
	if audio := got[1].Audio; audio == nil || audio.Format != "MP3" || audio.Rate != 24000 {
		t.Errorf("%+v", audio)
	}
	bytes := d.ask("GET", "/api/exchanges/1/response/parts/1")
	want(t, bytes, 200)
	wantInert(t, bytes, "application/octet-stream")
	if !strings.Contains(x.response, bytes.text) || len(bytes.text) != got[1].Size {
		t.Error("the part's bytes are others")
	}
	for _, path := range []string{"/request/parts/2", "/request/parts/-1", "/request/parts/x", "/request/parts/99999999999999999999"} {
		want(t, d.ask("GET", "/api/exchanges/1"+path), 404, "unknown_part")
	}
	want(t, d.ask("GET", "/api/exchanges/1/request/parts/0?play=1"), 415, "not_playable")
}

func TestFindingsExplainAnAnswer(t *testing.T) {
	d := inspecting(t)
	x := recognize(t)
	x.request = strings.ReplaceAll(x.request[:2000], "\r\n", "\n")
	d.remember(x)
	a := d.ask("GET", "/api/exchanges/1")
	want(t, a, 200, `"where": "request"`, `"level": "warning"`, "LF instead of CRLF", "closing delimiter")
	d.Exchanges.Clear()
	x.target = "/other"
	_, id := d.remember(x)
	want(t, d.ask("GET", fmt.Sprintf("/api/exchanges/%d", id)), 200, `"findings": []`)
}

func TestPartsArePlayed(t *testing.T) {
	d := withRoom(t)
	pcm := make([]byte, 32000) // a second
	for i := range pcm {
		pcm[i] = byte(i * 7)
	}
	x := recognize(t)
	x.request = form("metadata", "application/json", example(t, "recognize.json"), "audio", "application/octet-stream", string(pcm))
	d.remember(x)
	wav := d.ask("GET", "/api/exchanges/1/request/parts/1?play=1", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: audio")
	want(t, wav, 200)
	wantInert(t, wav, "audio/wav")
	wantWAV(t, wav.text, pcm)
	if wav.Header.Get("Content-Disposition") != "" || wav.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", wav.Header)
	}
	some := d.ask("GET", "/api/exchanges/1/request/parts/1?play=1", "Range: bytes=44-143")
	if some.StatusCode != 206 || some.text != string(pcm[:100]) {
		t.Errorf("%s, %d bytes", some.Status, len(some.text))
	}
	mp3 := d.ask("GET", "/api/exchanges/1/response/parts/1?play=1")
	want(t, mp3, 200)
	wantInert(t, mp3, "audio/mpeg")
	if !strings.HasPrefix(mp3.text, "ID3") {
		t.Errorf("%q", mp3.text[:16])
	}
}

func TestBareOpusIsPlayed(t *testing.T) {
	d := withRoom(t)
	event := strings.ReplaceAll(example(t, "recognize.json"), "AUDIO_L16_RATE_16000_CHANNELS_1", "OPUS")
	x := recognize(t)
	x.request = form("metadata", "application/json", event, "audio", "application/octet-stream", opusPackets(t))
	d.remember(x)
	if audio := d.partsOf("request")[1].Audio; audio == nil || *audio != (avs.AudioInfo{Format: "Opus", Rate: 16000, Channels: 1, Seconds: 1.14}) {
		t.Errorf("%+v", audio)
	}
	ogg := d.ask("GET", "/api/exchanges/1/request/parts/1?play=1")
	want(t, ogg, 200)
	wantInert(t, ogg, "audio/ogg")
	if !strings.HasPrefix(ogg.text, "OggS") {
		t.Errorf("%q", ogg.text[:16])
	}
	if bare := d.ask("GET", "/api/exchanges/1/request/parts/1"); bare.text != opusPackets(t) {
		t.Error("the download is not what was sent")
	}
}

// opusPackets are a second of speech as devices send it.
func opusPackets(t *testing.T) string {
	t.Helper()
	packets := testkit.Must(os.ReadFile("../avs/testdata/what-time-is-it.opus"))(t)
	return string(packets)
}

// wantWAV reads the header of a RIFF file: 16-bit PCM, 16 kHz, one channel.
func wantWAV(t *testing.T, text string, pcm []byte) {
	t.Helper()
	if len(text) != 44+len(pcm) || text[:4] != "RIFF" || text[8:16] != "WAVEfmt " || text[36:40] != "data" || text[44:] != string(pcm) {
		t.Fatalf("%d bytes: %q", len(text), text[:min(44, len(text))])
	}
	var head struct {
		Size                 uint32
		Coding, Channels     uint16
		Rate, BytesPerSecond uint32
		BlockAlign, Bits     uint16
		_                    [4]byte
		Data                 uint32
	}
	testkit.NoError(t, binary.Read(strings.NewReader(text[16:44]), binary.LittleEndian, &head))
	if head.Coding != 1 || head.Channels != 1 || head.Rate != 16000 || head.BytesPerSecond != 32000 || head.BlockAlign != 2 || head.Bits != 16 || int(head.Data) != len(pcm) {
		t.Errorf("%+v", head)
	}
}

// A downchannel that is still open shows what has come of it.
func TestPartsOfABodyThatGrows(t *testing.T) {
	d := inspecting(t)
	e, _ := d.remember(told{method: "GET", target: avs.PathDirectives, requestOnly: true})
	e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", "multipart/related; boundary=b"))
	e.ResponseData([]byte("--b\r\nContent-Type: application/json\r\n\r\n{\"directive\":{\"header\":{\"namespace\":\"Speaker\",\"name\":\"SetVolume\",\"messageId\":\"m\"}}}\r\n--b\r\nContent-Type: application/json\r\n\r\n{\"direc"))
	parts := d.partsOf("response")
	if len(parts) != 2 || !parts[0].Complete || parts[1].Complete || parts[0].Message == nil || parts[0].Message.Name != "SetVolume" || parts[1].JSON != nil {
		t.Errorf("%+v", parts)
	}
}

// AVS sends the head of the next part behind each, perhaps an hour before that comes.
func TestPartsHaveTheTimeOfTheirFirstByte(t *testing.T) {
	const head, first, second = "--b\r\nContent-Type: application/json\r\n\r\n", "{\"a\":\r\n1}\r\n", "{}\r\n"
	at := func(text string, came time.Duration) capture.Arrival {
		return capture.Arrival{Offset: int64(len(text)), At: came}
	}
	message := capture.Message{Header: fields("Content-Type", formData), Body: capture.Body{
		Bytes:    []byte(head + first + head + second + head + second),
		Arrivals: []capture.Arrival{at("", 1500*time.Microsecond), at(head+first[:5], 2*time.Second), at(head+first+head, time.Hour), at(head+first+head+second, -1)},
	}}
	var got []any
	for _, part := range partsOf(message).Parts {
		if got = append(got, nil); part.AtMS != nil {
			got[len(got)-1] = *part.AtMS
		}
	}
	if want := []any{1.5, 3600_000.0, nil}; !slices.Equal(got, want) {
		t.Errorf("the parts came at %v ms, want %v", got, want)
	}
}

func TestTimesOfPartsAreTold(t *testing.T) {
	d := inspecting(t)
	e, _ := d.remember(told{method: "GET", target: avs.PathDirectives, requestOnly: true})
	e.Response(head(200, "HTTP/2.0"), testkit.Fields("Content-Type", formData))
	e.ResponseData([]byte("--b\r\n\r\ntext"))
	want(t, d.ask("GET", "/api/exchanges/1/response/parts"), 200, `"at_ms":`)
}

func TestBodiesThatAreNoMessageHaveNoParts(t *testing.T) {
	for _, contentType := range []string{"", "text/plain", "multipart/form-data", "application/json"} {
		d := inspecting(t)
		d.remember(told{method: "POST", target: "/", request: "{}", status: 200, requestHead: fields("Content-Type", contentType)})
		want(t, d.ask("GET", "/api/exchanges/1/request/parts"), 200, `"parts":[]`)
	}
}

func TestHostilePartsAreHarmless(t *testing.T) {
	d := withRoom(t)
	deep := strings.Repeat("[", 501) + strings.Repeat("]", 501)
	d.remember(told{
		method: "POST", target: "/", status: 200, requestHead: fields("Content-Type", formData),
		request: form("<script>", "text/html", "<script>alert(1)</script>", "deep", "application/json", deep,
			"odd", "application/json", `{"event": {"header": {"namespace": 1, "name": ["x"]}}}`, "\xff\x1b", "x/\xff", `{"a": "`+"\xff\"}"),
	})
	parts := d.partsOf("request")
	if len(parts) != 4 || parts[1].JSON != nil || parts[2].Message != nil || parts[2].JSON == nil {
		t.Errorf("%d parts, %+v", len(parts), parts[2])
	}
	a := d.ask("GET", "/api/exchanges/1/request/parts")
	if strings.ContainsAny(a.text, "<\x1b") || !utf8.ValidString(a.text) || len(a.text) > 100_000 {
		t.Errorf("they are shown as they are, in %d bytes", len(a.text))
	}
	page := d.ask("GET", "/api/exchanges/1/request/parts/0")
	wantInert(t, page, "application/octet-stream")
	want(t, d.ask("GET", "/api/exchanges/1/request/parts/0?play=1"), 415)
}

func TestPartsAreBounded(t *testing.T) {
	d := withRoom(t)
	d.remember(told{method: "POST", target: "/", status: 200, requestHead: fields("Content-Type", formData), request: strings.Repeat("--b\r\n\r\n", 5000)})
	parts := decode[Parts](t, d.ask("GET", "/api/exchanges/1/request/parts"))
	if len(parts.Parts) != maxParts || parts.Left != 5000-maxParts {
		t.Errorf("%d parts, %d left out", len(parts.Parts), parts.Left)
	}
}

func packed(t *testing.T, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = zlib.NewWriter(&b)
	if coding == "gzip" {
		w = gzip.NewWriter(&b)
	}
	io.WriteString(w, text)
	testkit.NoError(t, w.Close())
	return b.String()
}

func TestCompressedBodiesAreUnpackedWithinBounds(t *testing.T) {
	message := form("metadata", "application/json", example(t, "recognize.json"))
	bomb := form("bomb", "text/plain", strings.Repeat("\x00", 8<<20))
	for _, coding := range []string{"gzip", "deflate"} {
		whole := packed(t, coding, message)
		for name, c := range map[string]struct {
			sent, kept  string
			size, parts int
			complete    bool
		}{
			"a message":  {whole, whole, len(message), 1, true},
			"cut":        {whole[:200], whole[:200], -1, 1, false},
			"a bomb":     {packed(t, coding, bomb), "", 0, 0, false},
			"not at all": {message, "", 0, 0, false},
		} {
			t.Run(coding+" "+name, func(t *testing.T) {
				d := withRoom(t)
				d.remember(told{
					method: "POST", target: "/", status: 200, request: c.sent,
					requestHead: fields("Content-Type", formData, "Content-Encoding", coding),
				})
				plain := d.ask("GET", "/api/exchanges/1/request/body?plain=1")
				if c.size >= 0 && len(plain.text) != c.size {
					t.Errorf("unpacked to %d bytes", len(plain.text))
				}
				if got := d.ask("GET", "/api/exchanges/1/request/body"); got.text != c.kept {
					t.Errorf("the body has %d bytes", len(got.text))
				}
				if parts := d.partsOf("request"); len(parts) != c.parts || (c.parts > 0 && parts[0].Complete != c.complete) {
					t.Errorf("%d parts", len(parts))
				}
			})
		}
	}
}
