package filter

import (
	"errors"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func example() (capture.Summary, *capture.Record) {
	s := capture.Summary{
		ID: 12, Route: "avs", Method: "POST", Scheme: "http", Host: "localhost:9744", Target: "/v20160207/events?a=1", Status: 404, State: capture.StateDone,
		TookMS: 1500, Proto: "HTTP/1.1", UpstreamProto: "HTTP/2.0", Decision: "injected", Ended: "the client hung up", RequestBytes: 100, ResponseBytes: 3 << 10,
		ContentType: "application/json", AVS: "SpeechRecognizer.Recognize", Replayed: true, Lasts: true,
	}
	r := &capture.Record{Summary: s}
	r.Request.Header = []capture.Field{{Name: "X-Device", Value: "Kitchen"}}
	r.Response.Trailer = []capture.Field{{Name: "Sum", Value: "abc"}}
	r.Response.Body.Bytes = []byte(`{"message": "Not Found"}`)
	return s, r
}

func TestTerms(t *testing.T) {
	s, r := example()
	for text, want := range map[string]bool{
		"": true, "   ": true,
		"status:404": true, "status:403": false, "status:4xx": true, "status:4XX": true, "status:5xx": false, "status:>=400": true, "status:>404": false, "status:<404": false,
		"status:<=404": true, "status:400-404": true, "status:405-500": false, "status:200,404": true, "-status:404": false, "-status:200": true,
		"method:post": true, "method:GET,POST": true, "method:GET": false, "METHOD:POST": true,
		"route:avs": true, "route:av": false, "host:local": true, "path:/EVENTS": true, "url:http://localhost:9744/v2": true,
		"took:>1s": true, "took:>1.5s": false, "took:1500": true, "took:<1d": true, "took:>0.5d": false, "took:<2000": true, "size:3KiB": true, "size:>3k": false, "size:>=3072": true, "sent:<1KB": true, "sent:100B": true,
		"id:12": true, "id:>11": true, "id:12-13,1": true, "id:1": false,
		"decision:injected": true, `decision:"token added"`: true, "type:json": true, "avs:recognize": true, "proto:HTTP/2": true, "ended:hung": true, "error:x": false,
		"is:done": true, "is:open": false, "is:error": true, "is:renewed": true, "is:lasting": true, "is:replay": false, "is:answered": true, "-is:done": false, "is:own": false,
		"header:kitchen": true, `header:"x-device: kitchen"`: true, "header:sum": true, "header:other": false,
		`body:"not found"`: true, "body:found": true, "body:xyz": false, "-body:xyz": true,
		"events": true, "EVENTS": true, `"token added"`: true, "#12": true, "xyz": false, "-xyz": true, "404": true, "avs": true,
		"/v[12]0160207/": true, "/V20/": false, "-/events$/": true, "/token added/": true, "/v20160207/events": true, "/": true,
		"status:4xx method:POST": true, "status:4xx method:GET": false, "body:found status:200": false,
		"http://localhost:9744/": true, "localhost:9744": true, `"a \" b"`: false, "x:": false, "-": false, "/v2 /api": false, "/v20160207 /events": true, "/events -path:/x": true, "/events url:http://l": true, "/a b/": false, "-/EVENTS/ /e/": true,
	} {
		f, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := f.Shows(&s, func() *capture.Record { return r }); got != want {
			t.Errorf("%q shows it: %v", text, got)
		}
	}
}

func TestFiltersThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"status:abc":           `the filter, at 1: "abc" is no value for it; write a number`,
		"method:GET status:4x": `the filter, at 12: "4x" is no value`,
		"stauts:404":           `the filter, at 1: there is no key "stauts"; did you mean status:?`,
		`a "b`:                 "the filter, at 3: a quotation mark is missing; put texts",
		`"a"b`:                 "at 1: something stands behind a quotation mark; put a space",
		"a /(/":                "at 3: the regular expression cannot be read: missing closing ): `(`; put a text with slashes",
		"is:errro":             `at 1: is: knows no "errro"; did you mean is:error?`,
		"is:blue":              `is: knows no "blue"; write one of answered, done, error`,
		"status:":              "status: has no value; write it behind the colon",
		"size:>x":              `">x" is no value`, "took:-1": `"-1" is no value`, "status:4-x": "no value",
	} {
		_, err := Parse(text)
		var wrong *Error
		if !errors.As(err, &wrong) {
			t.Errorf("%q was read", text)
			continue
		}
		if got := wrong.Error() + "; " + wrong.Hint; !strings.Contains(got, want) {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// Records are asked for last, and where they are needed only.
func TestRecordsAreAskedForWhereNeeded(t *testing.T) {
	s, r := example()
	asked := 0
	record := func() *capture.Record { asked++; return r }
	for text, want := range map[string]int{"status:404 events": 0, "body:found status:200": 0, "body:found status:404": 1} {
		f, err := Parse(text)
		testkit.NoError(t, err)
		asked = 0
		if f.Shows(&s, record); asked != want {
			t.Errorf("%q asked %d times", text, asked)
		}
	}
	f, _ := Parse("-body:x")
	if f.Shows(&s, func() *capture.Record { return nil }) != true {
		t.Error("a forgotten exchange has the text in its body")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`status:>=400 -"a b" /x/ body:"\""`)
	s, r := example()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		if parsed, err := Parse(text); err == nil {
			parsed.Shows(&s, func() *capture.Record { return r })
		}
	})
}
