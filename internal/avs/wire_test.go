package avs

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDirectiveHasTheServicesShape(t *testing.T) {
	d := Directive{Header: Header{Namespace: "SpeechRecognizer", Name: "StopCapture", MessageID: "m", DialogRequestID: "d"}}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"directive":{"header":{"namespace":"SpeechRecognizer","name":"StopCapture","messageId":"m","dialogRequestId":"d"},"payload":{}}}`
	if got := string(text); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestExceptionBodies(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"described", string(Exception("m", CodeUnauthorized, "no")),
			`{"header":{"namespace":"System","name":"Exception","messageId":"m"},"payload":{"code":"UNAUTHORIZED_REQUEST_EXCEPTION","description":"no"}}`},
		{"not described", string(Exception("m", CodeInternal, "")),
			`{"header":{"namespace":"System","name":"Exception","messageId":"m"},"payload":{"code":"INTERNAL_SERVICE_EXCEPTION","description":null}}`},
		{"missing token", string(MissingToken()),
			`{"error":{"code":"UNAUTHORIZED_REQUEST_EXCEPTION","message":"Unable to authenticate the request. Please provide a valid authorization token."}}`},
		{"v1", string(InvalidTokenV1()),
			`{"error":{"code":"com.amazon.alexahttpproxy.exceptions.InvalidAccessTokenException","message":"AVS was not able to validate the provided access token."}}`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.name, c.got, c.want)
		}
	}
}

func TestRelatedAnswerIsReadByAStrictParser(t *testing.T) {
	var b strings.Builder
	answer := NewRelatedWriter(&b, "abc")
	answer.Open()
	answer.Write(Part{ContentType: JSONType, ContentID: answer.StartID(), Body: []byte("{}")})
	answer.Last(Part{ContentType: AudioType, ContentID: "sound", Body: []byte("\r\n--not a boundary\r\n")})

	_, params, err := mime.ParseMediaType(answer.ContentType())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(params["boundary"], "------") || params["start"] != answer.StartID() {
		t.Errorf("content type %s", answer.ContentType())
	}
	parts := multipart.NewReader(strings.NewReader(b.String()), params["boundary"])
	want := [][3]string{
		{JSONType, "<metadata.abc>", "{}"},
		{AudioType, "<sound>", "\r\n--not a boundary\r\n"},
	}
	var got [][3]string
	for part, err := parts.NextPart(); err != io.EOF; part, err = parts.NextPart() {
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(part)
		got = append(got, [3]string{part.Header.Get("Content-Type"), part.Header.Get("Content-ID"), string(body)})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each part must be complete with its own write, or a reader that waits for the
// boundary would wait for the next part.
func TestRelatedPartEndsWithItsBoundaryLine(t *testing.T) {
	var writes []string
	stream := NewRelatedWriter(writerFunc(func(p []byte) { writes = append(writes, string(p)) }), "x")
	stream.Open()
	stream.Write(Part{ContentType: JSONType, Body: []byte("{}")})
	want := []string{
		"--------x\r\n",
		"Content-Type: application/json; charset=UTF-8\r\n\r\n{}\r\n--------x\r\n",
	}
	if diff := cmp.Diff(want, writes); diff != "" {
		t.Error(diff)
	}
	if got, want := stream.DownchannelType(), "multipart/related; boundary=------x; type=application/json"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
