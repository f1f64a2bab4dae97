package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const examples = "../../examples/"

func TestCurlAsksWhatTimeItIs(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "--http2", "-H", "Authorization: Bearer "+token, s.AVS()+"/v20160207/events",
		"-F", "metadata=<"+examples+"recognize.json;type=application/json",
		"-F", "audio=@"+examples+"what-time-is-it.wav;type=application/octet-stream")
	head, body, _ := strings.Cut(out, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/2 200") {
		t.Fatal(head)
	}
	parts := partsOf(t, headerValue(head, "content-type"), body)
	checkSpeech(t, parts, `"name":"Speak"`, `"url":"cid:`, "application/octet-stream")
	if !strings.Contains(parts[0].text, `"dialogRequestId":"d-1"`) {
		t.Error(parts[0].text)
	}
}

func TestCurlSynchronizesState(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "--http2", "-H", "Authorization: Bearer "+token, s.AVS()+"/v20160207/events",
		"-F", "metadata=<"+examples+"synchronize-state.json;type=application/json")
	if !strings.HasPrefix(out, "HTTP/2 204") {
		t.Error(out)
	}
}

// The walkthrough of 2016: a body made with echo, and bytes cut out of the answer.
func TestCurlAsksTheOldWay(t *testing.T) {
	sound, err := os.ReadFile(examples + "what-time-is-it.wav")
	if err != nil {
		t.Fatal(err)
	}
	body := "\n--BOUNDARY1234\n" + `Content-Disposition: form-data; name="metadata"` + "\nContent-Type: application/json; charset=UTF-8\n\n" +
		`{"messageHeader":{},"messageBody":{"profile":"alexa-close-talk","locale":"en-us","format":"audio/L16; rate=16000; channels=1"}}` +
		"\n\n--BOUNDARY1234\n" + `Content-Disposition: form-data; name="audio"` + "\nContent-Type: audio/L16; rate=16000; channels=1\n\n" +
		string(sound) + "\n--BOUNDARY1234--\n"
	file := filepath.Join(t.TempDir(), "multipart_body.txt")
	os.WriteFile(file, []byte(body), 0o600)
	s := start(t, Options{HTTP1: true})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "-X", "POST", "-H", "Authorization: Bearer "+token, "-H", "Expect:",
		"-H", "Content-Type: multipart/form-data; boundary=BOUNDARY1234", "--data-binary", "@"+file, s.AVS()+"/v1/avs/speechrecognizer/recognize")
	head, answer, _ := strings.Cut(out, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Fatal(out)
	}
	checkSpeech(t, partsOf(t, headerValue(head, "content-type"), answer), `"name":"speak"`, `"audioContent":"cid:`, "audio/mpeg")
	arrived := s.Ledger()[0]
	if sum := sha256.Sum256([]byte(body)); arrived.BodySHA256 != hex.EncodeToString(sum[:]) || !arrived.Done {
		t.Errorf("%+v", arrived)
	}
}

type part struct{ contentType, id, text string }

func partsOf(t *testing.T, contentType, body string) []part {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("%s: %v", contentType, err)
	}
	var parts []part
	reader := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for p, err := reader.NextPart(); err != io.EOF; p, err = reader.NextPart() {
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p)
		parts = append(parts, part{p.Header.Get("Content-Type"), p.Header.Get("Content-ID"), string(text)})
	}
	return parts
}

func checkSpeech(t *testing.T, parts []part, name, url, audioType string) {
	t.Helper()
	if len(parts) != 2 {
		t.Fatalf("%d parts", len(parts))
	}
	id := strings.Trim(parts[1].id, "<>")
	if !strings.Contains(parts[0].text, name) || !strings.Contains(parts[0].text, url+id+`"`) {
		t.Error(parts[0].text)
	}
	if parts[1].contentType != audioType || parts[1].text != string(speech) || !strings.HasPrefix(parts[1].text, "ID3") {
		t.Errorf("%s, %d bytes", parts[1].contentType, len(parts[1].text))
	}
}

func headerValue(head, name string) string {
	for line := range strings.Lines(head) {
		if key, value, _ := strings.Cut(line, ":"); strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// speaking starts a Recognize and leaves the audio to the caller.
func speaking(t *testing.T, s *Sandbox, token string) (*http.Response, *io.PipeWriter) {
	t.Helper()
	metadata, err := os.ReadFile(examples + "recognize.json")
	if err != nil {
		t.Fatal(err)
	}
	body, voice := io.Pipe()
	go fmt.Fprintf(voice, "--B\r\nContent-Type: application/json\r\n\r\n%s\r\n--B\r\nContent-Type: application/octet-stream\r\n\r\n", metadata)
	request := ask(t, s, token, "POST", "/v20160207/events", body)
	request.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	response, err := client(t, s).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response, voice
}

func TestRecognizeAnswersBeforeTheUploadEnds(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	down, err := client(t, s).Do(ask(t, s, token, "GET", "/v20160207/directives", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer down.Body.Close()

	response, voice := speaking(t, s, token)
	early := make([]byte, 16<<10)
	n, _ := io.ReadAtLeast(response.Body, early, 300)
	if response.StatusCode != http.StatusOK || !bytes.Contains(early[:n], []byte(`"name":"Speak"`)) {
		t.Fatalf("%s %q", response.Status, early[:n])
	}
	heard := make([]byte, 0, 16<<10)
	for !bytes.Contains(heard, []byte(`"name":"StopCapture"`)) {
		n, err := down.Body.Read(heard[len(heard):cap(heard)])
		if heard = heard[:len(heard)+n]; err != nil {
			t.Fatalf("%v after %q", err, heard)
		}
	}

	io.WriteString(voice, "RIFF\r\n--B--\r\n")
	voice.Close()
	rest, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	parts := partsOf(t, response.Header.Get("Content-Type"), string(early[:n])+string(rest))
	checkSpeech(t, parts, `"name":"Speak"`, `"url":"cid:`, "application/octet-stream")
}

func TestBrokenUploadBreaksTheAnswer(t *testing.T) {
	s := start(t, Options{})
	response, voice := speaking(t, s, loggedIn(t, s).AccessToken)
	voice.CloseWithError(io.ErrUnexpectedEOF)
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("the answer looks complete")
	}
}

func TestMalformedEventsAreRefused(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	for _, c := range []struct {
		path, contentType string
		status            int
		want              string
	}{
		{"/v20160207/events", "application/json", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"/v20160207/events", "multipart/form-data; boundary=B", 400, "INVALID_REQUEST_EXCEPTION"},
		{"/v1/avs/speechrecognizer/recognize", "multipart/form-data; boundary=B", 400, "BadRequestException"},
	} {
		request := ask(t, s, token, "POST", c.path, strings.NewReader("{}"))
		request.Header.Set("Content-Type", c.contentType)
		answer := send(t, client(t, s), request)
		if answer.StatusCode != c.status || !strings.Contains(string(answer.body), c.want) {
			t.Errorf("%s %s: %s %s", c.path, c.contentType, answer.Status, answer.body)
		}
	}
}

func TestRecognizeWithoutSoundIsNotAnswered(t *testing.T) {
	s := start(t, Options{})
	token := loggedIn(t, s).AccessToken
	out := curl(t, s, "-i", "--http2", "-H", "Authorization: Bearer "+token, s.AVS()+"/v20160207/events",
		"-F", "metadata=<"+examples+"recognize.json;type=application/json")
	if !strings.HasPrefix(out, "HTTP/2 204") {
		t.Error(out)
	}
}
