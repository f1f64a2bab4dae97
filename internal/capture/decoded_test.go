package capture

import (
	"slices"
	"strings"
	"testing"

	"avsproxy/internal/exchange"
)

// Decoding a masked text must not show a secret that was escaped in it.
func TestDecodingShowsNoSecret(t *testing.T) {
	const secret = "canary-of-the-test"
	r := New(Options{
		Secrets:   live(secret),
		EventName: func(_ string, body []byte) string { return strings.ReplaceAll(string(body), `\u0063`, "c") },
	})
	e := r.Begin(Request{Method: "GET", Header: []Field{{Name: "Content-Type", Value: "multipart/form-data"}}, Target: "/x?t=%63%61nary%2Dof-the-test&%63anary-of-the-test=1&u=canary%2Dof-the-test&plain=a%2Fb+c"})
	e.RequestData([]byte(`Speaker.\u0063anary-of-the-test`))
	e.RequestEnd(nil, nil)
	e.End(exchange.Facts{}, nil)
	record := get(t, r, e)
	if strings.Contains(record.AVS, secret) || !strings.HasPrefix(record.AVS, "Speaker.") {
		t.Errorf("the event is called %s", record.AVS)
	}
	if archive := har(t, record); strings.Contains(archive, secret) {
		t.Errorf("the HAR has it: %s", archive)
	}
	if query := newHARRequest(record).Query; !slices.Contains(query, harPair{"plain", "a/b c"}) {
		t.Errorf("the query is not decoded: %v", query)
	}
}

// A text that was not cut cannot end within a secret. Otherwise a client_key that begins
// with a word would mask that word at the end of every path, host and value.
func TestTheBeginningOfASecretAtTheEndOfAWholeTextIsShown(t *testing.T) {
	r := New(Options{Secrets: live("recognize-device-key-0123")})
	e := r.Begin(Request{Method: "GET", Host: "device.recognize", Target: "/v1/recognize", Header: []Field{{Name: "X-Say", Value: "to recognize"}}})
	e.RequestData([]byte("they recognize"))
	e.RequestEnd(nil, nil)
	e.End(exchange.Facts{}, nil)
	record := get(t, r, e)
	if record.Target != "/v1/recognize" || record.Host != "device.recognize" || record.Request.Header[0].Value != "to recognize" {
		t.Errorf("%s%s %v", record.Host, record.Target, record.Request.Header)
	}
	if body := record.Request.Body; string(body.Bytes) != "they recognize" || body.Masked {
		t.Errorf("a whole body is shown as %q", body.Bytes)
	}
}
