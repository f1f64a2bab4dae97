package avs

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDirectiveScannerFindsTheDirectives(t *testing.T) {
	text := `{ "directive":{"header":{"namespace":"System","name":"SetEndpoint","messageId":"m","dialogRequestId":"d"},"payload":{"endpoint":"https://x"}}}`
	typed := "Content-Type: application/json; charset=UTF-8"
	message := crlf("--B",
		typed, "", `{"event":{"header":{"namespace":"n","name":"x"}}}`, "--B",
		typed, "", "{}", "--B", typed, "", "", "--B", typed, "", "{", "--B",
		"Content-Type: application/octet-stream", "", text, "--B",
		typed, "", `{"directive":{"payload":"`+strings.Repeat("x", maxDirective)+`"}}`, "--B",
		typed, "", text, "--B", "")
	want := []ReceivedDirective{{
		Header:  Header{Namespace: "System", Name: "SetEndpoint", MessageID: "m", DialogRequestID: "d"},
		Payload: []byte(`{"endpoint":"https://x"}`), Raw: []byte(text),
	}}
	var got []ReceivedDirective
	scanner := NewDirectiveScanner("multipart/related; boundary=B; type=application/json", func(p ReceivedDirective) { got = append(got, p) })
	io.WriteString(scanner, message) // without a Close: it is known when its line has come
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if NewDirectiveScanner("application/json", nil) != nil {
		t.Error("there is a scanner for what is not multipart")
	}
}
