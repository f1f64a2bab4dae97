package avs

import (
	"encoding/base64"
	"strings"
	"testing"
)

// recognizeForm is a message by the book, which tests spoil.
func recognizeForm(json string, audio []byte) string {
	return crlf("--B", `Content-Disposition: form-data; name="metadata"`, "Content-Type: "+JSONType, "", json,
		"--B", `Content-Disposition: form-data; name="audio"`, "Content-Type: "+AudioType, "", string(audio), "--B--", "")
}

var l16JSON = strings.Replace(recognizeJSON, `"payload":{}`, `"payload":{"profile":"NEAR_FIELD","format":"AUDIO_L16_RATE_16000_CHANNELS_1"}`, 1)

func TestLintFindsNothingWrongInGoodMessages(t *testing.T) {
	syncType, sync := SynchronizeState("m-1")
	opus := strings.Replace(l16JSON, "AUDIO_L16_RATE_16000_CHANNELS_1", "OPUS", 1)
	for _, c := range []struct {
		name, contentType, body string
		complete                bool
	}{
		{"speech", formB, recognizeForm(l16JSON, tone(16000)), true},
		{"Opus", formB, recognizeForm(opus, bareOpusOf(50, 80)), true},
		{"state", syncType, sync, true},
		{"nothing so far", formB, "", false},
	} {
		if got := Lint(c.contentType, []byte(c.body), c.complete); got != nil {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	whole := recognizeForm(l16JSON, tone(16000))
	for cut := 0; cut < len(whole); cut += 7 {
		if got := Lint(formB, []byte(whole[:cut]), false); got != nil {
			t.Fatalf("cut at %d: %v", cut, got)
		}
	}
}

func TestLintExplains(t *testing.T) {
	speech := tone(16000)
	good := recognizeForm(l16JSON, speech)
	without := func(old string) string { return recognizeForm(strings.Replace(l16JSON, old, "", 1), speech) }
	with := func(old, new string) string { return recognizeForm(strings.Replace(l16JSON, old, new, 1), speech) }
	sound := func(data []byte) string { return recognizeForm(l16JSON, data) }
	opus := strings.Replace(l16JSON, "AUDIO_L16_RATE_16000_CHANNELS_1", "OPUS", 1)
	for _, c := range []struct {
		name, contentType, body string
		level                   Level
		want                    string
	}{
		{"JSON alone", "application/json", l16JSON, LevelError, "415"},
		{"no boundary", "multipart/form-data", good, LevelError, "no boundary"},
		{"another boundary", "multipart/form-data; boundary=C", good, LevelError, "there is no line --C"},
		{"dashes missing", formB, "B\r\nContent-Type: text/plain\r\n", LevelError, "lack the two dashes"},
		{"related", "multipart/related; boundary=B", good, LevelWarning, "multipart/form-data"},
		{"empty", formB, "", LevelError, "empty"},
		{"line feeds", formB, strings.ReplaceAll(recognizeForm(l16JSON, nil), "\r\n", "\n"), LevelWarning, "line 1 ends in LF"},
		{"no close", formB, strings.TrimSuffix(good, "--B--\r\n"), LevelWarning, "--B-- is missing"},
		{"no blank line", formB, strings.Replace(good, "\r\n\r\n", "\r\n", 1), LevelError, "before line 4"},
		{"wrong first name", formB, strings.Replace(good, `"metadata"`, `"request"`, 1), LevelWarning, `named "request"`},
		{"wrong second name", formB, strings.Replace(good, `"audio"`, `"file"`, 1), LevelWarning, `named "file"`},
		{"no type", formB, strings.Replace(good, "Content-Type: "+JSONType+"\r\n", "", 1), LevelWarning, "application/json"},
		{"broken JSON", formB, with(`"event":{`, "\n  \"event\":{,"), LevelError, "line 2, column 12"},
		{"no JSON", formB, with(l16JSON, " "), LevelError, "it is empty"},
		{"byte order mark", formB, with("{", "\uFEFF{"), LevelError, "byte order mark"},
		{"no UTF-8", formB, with("context", "cont\xff"), LevelError, "UTF-8"},
		{"directive", formB, with(`"event"`, `"directive"`), LevelError, "directive"},
		{"no event", formB, with(`"event"`, `"evnt"`), LevelError, `no member "event"`},
		{"no header", formB, with(`"header"`, `"haeder"`), LevelError, "no header"},
		{"number as name", formB, with(`"Recognize"`, `5`), LevelError, "wrong type"},
		{"no namespace", formB, without(`"namespace":"SpeechRecognizer",`), LevelError, "no namespace"},
		{"no messageId", formB, without(`"messageId":"m-1",`), LevelError, "no messageId"},
		{"no dialogRequestId", formB, without(`,"dialogRequestId":"d-1"`), LevelError, "no dialogRequestId"},
		{"no payload", formB, with(`"payload"`, `"pay"`), LevelError, "no payload"},
		{"no format", formB, with(`"format"`, `"fmt"`), LevelError, "does not name the format"},
		{"wrong format", formB, with("RATE_16000", "RATE_8000"), LevelError, "AUDIO_L16_RATE_8000"},
		{"no audio", formB, crlf("--B", `Content-Disposition: form-data; name="metadata"`, "Content-Type: "+JSONType, "", l16JSON, "--B--", ""), LevelError, `part named "audio"`},
		{"empty audio", formB, sound(nil), LevelError, "audio is empty"},
		{"base64", formB, sound([]byte(base64.StdEncoding.EncodeToString(speech))), LevelError, "base64"},
		{"WAV rate", formB, sound(WAV(speech, 44100, 1)), LevelError, "44100 samples per second"},
		{"WAV channels", formB, sound(WAV(speech, 16000, 2)), LevelError, "2 channels"},
		{"WAV bits", formB, sound(append(append(WAV(nil, 16000, 1)[:34], 8, 0), WAV(nil, 16000, 1)[36:]...)), LevelError, "8 bits"},
		{"WAV header", formB, sound(WAV(speech, 16000, 1)), LevelNote, "header of a WAV"},
		{"WAV as Opus", formB, recognizeForm(opus, WAV(speech, 16000, 1)), LevelError, "OPUS, but"},
		{"samples as Opus", formB, recognizeForm(opus, speech), LevelError, "not packets"},
		{"Opus as samples", formB, sound(bareOpusOf(50, 80)), LevelError, "look like Opus"},
		{"Ogg", formB, recognizeForm(opus, oggOf(1)), LevelError, "container (OggS)"},
		{"MP3", formB, sound(readFile(t, "testdata/tone.mp3")), LevelError, "MP3"},
		{"typed rate", formB, strings.Replace(good, "Content-Type: "+AudioType, "Content-Type: audio/L16; rate=8000", 1), LevelError, "8000 samples"},
		{"big-endian", formB, sound(swapped(speech)), LevelError, "big-endian"},
		{"odd", formB, sound(append(speech, 1)), LevelWarning, "odd"},
		{"short", formB, sound(tone(1600)), LevelNote, "100 ms"},
		{"silence", formB, sound(make([]byte, 32000)), LevelWarning, "silence"},
	} {
		found := Lint(c.contentType, []byte(c.body), true)
		if !says(found, c.level, c.want) {
			t.Errorf("%s: no %s with %q in %v", c.name, c.level, c.want, found)
		}
		if len(found) > 3 {
			t.Errorf("%s: one mistake, and %d findings: %v", c.name, len(found), found)
		}
	}
}

func says(findings []Finding, level Level, text string) bool {
	for _, f := range findings {
		if f.Level == level && strings.Contains(f.Text, text) {
			return true
		}
	}
	return false
}
