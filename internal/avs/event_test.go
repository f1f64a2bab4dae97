package avs

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const recognizeJSON = `{"context":[],"event":{"header":{"namespace":"SpeechRecognizer","name":"Recognize","messageId":"m-1","dialogRequestId":"d-1"},"payload":{}}}`

// crlf writes a message as it stands in a test: one line after the other.
func crlf(lines ...string) string { return strings.Join(lines, "\r\n") }

func lf(lines ...string) string { return strings.Join(lines, "\n") }

func TestEventReaderReadsWhatClientsSend(t *testing.T) {
	const sound = "RIFF\n\r\n\r--x\r\nsound"
	typed := "Content-Type: application/json; charset=UTF-8"
	for _, c := range []struct{ name, contentType, body string }{
		{"by the book", "multipart/form-data; boundary=B", crlf("--B", `Content-Disposition: form-data; name="metadata"`, typed, "", recognizeJSON,
			"--B", `Content-Disposition: form-data; name="audio"`, "Content-Type: application/octet-stream", "", sound, "--B--", "")},
		{"line feeds and a leading one", "multipart/form-data; boundary=B", "\n" + lf("--B", `Content-Disposition: form-data; name="metadata"`, "", recognizeJSON,
			"--B", `Content-Disposition: form-data; name="audio"`, "", sound, "--B--", "")},
		{"both line ends", "multipart/form-data; boundary=B", lf("--B", typed, "", recognizeJSON) + crlf("", "--B", "", sound, "--B--")},
		{"final dashes missing", "multipart/form-data; boundary=B", crlf("--B", typed, "", recognizeJSON, "--B", "", sound, "--B", "")},
		{"final delimiter missing", "multipart/form-data; boundary=B", crlf("--B", typed, "", recognizeJSON, "--B", "", sound)},
		{"apostrophes", "multipart/form-data; boundary=B", crlf("--B", `Content-Disposition: form-data; name='metadata'`, "", recognizeJSON, "--B", "", sound, "--B--")},
		{"called request", "multipart/form-data; boundary=B", crlf("--B", `Content-Disposition: form-data; name="request"; filename="a;b"`, "", recognizeJSON, "--B", "", sound, "--B--")},
		{"both called file", "multipart/form-data; boundary=B", crlf("--B", `Content-Disposition: form-data; name="file"`, "", recognizeJSON,
			"--B", `Content-Disposition: form-data; name="file"`, "", sound, "--B--")},
		{"no space after colon", "multipart/form-data; boundary=B", crlf("--B", "content-type:application/json", "", recognizeJSON, "--B", "", sound, "--B--")},
		{"audio first", "multipart/form-data; boundary=B", crlf("--B", "Content-Type: audio/L16; rate=16000", "", sound, "--B", typed, "", recognizeJSON, "--B", "", "", "--B--")},
		{"SDK boundary", "multipart/form-data; boundary=WhooHooZeerOoonie!", crlf("--WhooHooZeerOoonie!", typed, "", recognizeJSON, "--WhooHooZeerOoonie!", "", sound, "--WhooHooZeerOoonie!--")},
		{"quoted boundary", `Multipart/Form-Data; charset=utf-8; Boundary="B;1"; x=y`, crlf("--B;1", typed, "", recognizeJSON, "--B;1", "", sound, "--B;1--")},
		{"apostrophe boundary", `multipart/form-data; boundary='B'`, crlf("--B", typed, "", recognizeJSON, "--B", "", sound, "--B--")},
		{"loose boundary", `multipart/form-data;boundary = B/=(1) ;`, crlf("--B/=(1)", typed, "", recognizeJSON, "--B/=(1)", "", sound, "--B/=(1)--")},
		{"preamble, epilogue, blanks", "multipart/form-data; boundary=B", crlf("hello", "--B \t", typed, "", recognizeJSON, "--B", "", sound, "--B-- ", "bye")},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, body := range []io.Reader{strings.NewReader(c.body), iotest.OneByteReader(strings.NewReader(c.body))} {
				checkEvent(t, body, c.contentType, len(sound))
			}
		})
	}
}

func checkEvent(t *testing.T, body io.Reader, contentType string, sound int) {
	t.Helper()
	reader, err := NewEventReader(body, contentType)
	if err != nil {
		t.Fatal(err)
	}
	event, err := reader.Event()
	if err != nil {
		t.Fatal(err)
	}
	want := Header{Namespace: "SpeechRecognizer", Name: "Recognize", MessageID: "m-1", DialogRequestID: "d-1"}
	if event != want || !reader.More() {
		t.Errorf("event %+v, more %v", event, reader.More())
	}
	if size, err := reader.AudioSize(); err != nil || size != int64(sound) {
		t.Errorf("audio of %d bytes, %v; want %d", size, err, sound)
	}
}

func TestEventReaderRefusesWhatIsNoEvent(t *testing.T) {
	const form = "multipart/form-data; boundary=B"
	long := strings.Repeat("x", 2<<20)
	for _, c := range []struct {
		name, contentType, body string
		want                    error
	}{
		{"no content type", "", "", ErrNotMultipart},
		{"JSON", "application/json", recognizeJSON, ErrNotMultipart},
		{"no boundary", "multipart/form-data", "--B", ErrMalformed},
		{"empty boundary", `multipart/form-data; boundary=""`, "--\r\n", ErrMalformed},
		{"empty body", form, "", ErrMalformed},
		{"another boundary", form, crlf("--C", "", recognizeJSON, "--C--"), ErrMalformed},
		{"only audio", form, crlf("--B", `Content-Disposition: form-data; name="audio"`, "", "RIFF", "--B--"), ErrMalformed},
		{"no blank line", form, crlf("--B", recognizeJSON[:10], "--B--"), ErrMalformed},
		{"no JSON", form, crlf("--B", "Content-Type: application/json", "", "hello", "--B--"), ErrMalformed},
		{"no header", form, crlf("--B", "Content-Type: application/json", "", `{"event":{}}`, "--B--"), ErrMalformed},
		{"no event", form, crlf("--B", "Content-Type: application/json", "", `{}`, "--B--"), ErrMalformed},
		{"endless header", form, "--B\r\nX: " + long, ErrMalformed},
		{"endless headers", form, "--B\r\n" + strings.Repeat("X: y\r\n", 100), ErrMalformed},
		{"header cut off", form, "--B\r\nX: y", ErrMalformed},
		{"delimiter in the headers", form, crlf("--B", "X: y", "--B", "", recognizeJSON, "--B--"), ErrMalformed},
		{"malformed part before", form, crlf("--B", "no header", "", "x", "--B", "", recognizeJSON, "--B--"), ErrMalformed},
		{"huge metadata", form, crlf("--B", "Content-Type: application/json", "", `{"a":"`+long+`"}`, "--B--"), ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			reader, err := NewEventReader(strings.NewReader(c.body), c.contentType)
			if err == nil {
				_, err = reader.Event()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestEventReaderPassesOnReadErrors(t *testing.T) {
	broken := errors.New("broken")
	head := crlf("--B", "Content-Type: application/json", "", recognizeJSON, "--B", "", "RI")
	reader, err := NewEventReader(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), "multipart/form-data; boundary=B")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Event(); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.AudioSize(); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A malformed part does not hide the event that came before it.
func TestEventReaderReportsMalformedPartsBehindTheEvent(t *testing.T) {
	body := crlf("--B", "", recognizeJSON, "--B", "no header", "", "x", "--B--")
	reader, err := NewEventReader(strings.NewReader(body), formB)
	if err != nil {
		t.Fatal(err)
	}
	if event, err := reader.Event(); err != nil || event.MessageID != "m-1" {
		t.Errorf("event %+v, %v", event, err)
	}
	if _, err := reader.AudioSize(); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func TestEventReaderKnowsV1(t *testing.T) {
	body := lf("--BOUNDARY1234", `Content-Disposition: form-data; name="metadata"`, "Content-Type: application/json; charset=UTF-8", "",
		`{"messageHeader":{},"messageBody":{"profile":"alexa-close-talk"}}`, "--BOUNDARY1234--")
	reader, err := NewEventReader(strings.NewReader(body), "multipart/form-data; boundary=BOUNDARY1234")
	if err != nil {
		t.Fatal(err)
	}
	event, err := reader.Event()
	if err != nil || event != (Header{}) || reader.More() {
		t.Errorf("event %+v, more %v, %v", event, reader.More(), err)
	}
}

// The event must be known when its last byte has come, not later: an answer
// begins while the audio is still being spoken.
func TestEventIsKnownBeforeTheAudioComes(t *testing.T) {
	body, client := io.Pipe()
	defer client.Close()
	go io.WriteString(client, crlf("--B", "Content-Type: application/json", "", recognizeJSON, "--B", ""))
	reader, err := NewEventReader(body, "multipart/form-data; boundary=B")
	if err != nil {
		t.Fatal(err)
	}
	if event, err := reader.Event(); err != nil || event.MessageID != "m-1" {
		t.Errorf("event %+v, %v", event, err)
	}
}

func TestAudioIsCountedWholeAcrossBuffers(t *testing.T) {
	for _, sound := range []string{
		strings.Repeat("\r", readSize) + "\n",
		strings.Repeat("x", readSize-1) + "\r\n",
		strings.Repeat("x", 3*readSize),
		strings.Repeat("\r\n", readSize),
		strings.Repeat("x", readSize) + "--B",
	} {
		checkEvent(t, strings.NewReader(crlf("--B", "", recognizeJSON, "--B", "", sound, "--B--")), formB, len(sound))
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add("multipart/form-data; boundary=B", crlf("--B", "Content-Type: application/json", "", recognizeJSON, "--B", "", "RIFF", "--B--"))
	f.Fuzz(func(t *testing.T, contentType, body string) {
		reader, err := NewEventReader(strings.NewReader(body), contentType)
		if err != nil {
			return
		}
		if _, err := reader.Event(); err != nil {
			return
		}
		if size, err := reader.AudioSize(); err != nil && !errors.Is(err, ErrMalformed) || size > int64(len(body)) {
			t.Errorf("audio of %d bytes from %d, %v", size, len(body), err)
		}
	})
}
