package console

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
)

// What the tests of the page let a recorder remember.

const recognizeEvent = `{"context":[],"event":{"header":{"namespace":"SpeechRecognizer","name":"Recognize","messageId":"6cd6a5a1-0001","dialogRequestId":"dialog-7f31"},"payload":{"profile":"CLOSE_TALK","format":"AUDIO_L16_RATE_16000_CHANNELS_1","initiator":{"type":"PRESS_AND_HOLD"}}}}`

func directive(namespace, name, dialog, payload string) string {
	return fmt.Sprintf(`{"directive":{"header":{"namespace":%q,"name":%q,"messageId":"m-%s","dialogRequestId":%q},"payload":%s}}`, namespace, name, name, dialog, payload)
}

// tone is a second of 16-bit PCM at 16 kHz.
func tone() []byte {
	var pcm bytes.Buffer
	for i := range 16000 {
		binary.Write(&pcm, binary.LittleEndian, int16(9000*math.Sin(float64(i)/6)))
	}
	return pcm.Bytes()
}

func speech(t *testing.T) []byte {
	t.Helper()
	return testkit.Must(os.ReadFile("../sandbox/speech/speak.mp3"))(t)
}

// bodyPart is one of a multipart body.
type bodyPart struct {
	header  string // its lines, without the last line end
	content string
}

func multipart(parts ...bodyPart) []byte {
	var body bytes.Buffer
	for _, part := range parts {
		fmt.Fprintf(&body, "--frontier\r\n%s\r\n\r\n%s\r\n", part.header, part.content)
	}
	body.WriteString("--frontier--\r\n")
	return body.Bytes()
}

const jsonPart = "Content-Type: application/json; charset=UTF-8"

// A turn is one exchange to remember.
type turn struct {
	method, target, route string
	host                  string // empty = localhost with the proxy's port
	request               []capture.Field
	response, trailer     exchange.FieldList
	sent, answered        []byte
	status                int
	interim               int
	facts                 exchange.Facts
	open                  bool // has not ended
}

const related = `multipart/related; boundary=frontier; type="application/json"`

var (
	asMultipart = capture.Field{Name: "Content-Type", Value: "multipart/form-data; boundary=frontier"}
	asJSON      = capture.Field{Name: "Content-Type", Value: "application/json"}
	fromCurl    = capture.Field{Name: "User-Agent", Value: "curl/8.14.1"}
)

func (d *desk) pass(turn turn) *capture.Exchange {
	began := time.Now().Add(-turn.facts.Took)
	host := turn.host
	if host == "" {
		host = "localhost:9744"
	}
	e := d.Exchanges.Begin(capture.Request{
		Began: began, Arrived: began.Add(-100 * time.Microsecond), Route: turn.route, Method: turn.method, Scheme: "http", Host: host, Target: turn.target, Proto: "HTTP/1.1",
		Client: exchange.ConnInfo{Proto: "HTTP/1.1", Conn: 7, Address: d.Proxy[0]}, Header: turn.request,
	})
	e.RequestData(turn.sent)
	e.RequestEnd(nil, nil)
	if turn.interim != 0 {
		e.Interim(turn.interim, testkit.Fields("Link", "</style.css>; rel=preload"))
	}
	turn.facts.Sent = int64(len(turn.sent))
	if turn.status != 0 {
		turn.facts.Status, turn.facts.Written = turn.status, int64(len(turn.answered))
		e.Response(turn.facts, turn.response)
		e.ResponseData(turn.answered)
	}
	if !turn.open {
		e.End(turn.facts, turn.trailer)
	}
	return e
}

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// injected are the facts of a request that went to AVS with a token.
func injected(took float64) exchange.Facts {
	return exchange.Facts{
		Upstream: exchange.ConnInfo{Proto: "HTTP/2.0", Conn: 3, Stream: 15, TLS: true, Reused: true, Address: "https://alexa.na.gateway.devices.a2z.com"},
		Tries:    1, Decision: "injected", Credential: "alexa", TokenAge: 12 * time.Minute, TokenLeft: 48 * time.Minute,
		Token: ms(.02), FirstByte: ms(took * .7), Took: ms(took),
	}
}

// recognition is an event with speech, and an answer that speaks.
func recognition(t *testing.T) turn {
	facts := injected(846)
	facts.Connect, facts.TLS, facts.Token = ms(92), ms(60), ms(41)
	facts.Upstream.Reused = false
	return turn{
		method: "POST", target: "/v20160207/events", route: "avs", status: 200, facts: facts,
		request: []capture.Field{asMultipart, fromCurl, {Name: "Accept", Value: "*/*"}},
		sent: multipart(
			bodyPart{"Content-Disposition: form-data; name=\"metadata\"\r\n" + jsonPart, recognizeEvent},
			bodyPart{"Content-Disposition: form-data; name=\"audio\"\r\nContent-Type: application/octet-stream", string(tone())}),
		response: testkit.Fields("Content-Type", related, "X-Amzn-Requestid", "0a2b-77", "Date", "Sun, 22 Nov 2026 21:04:11 GMT"),
		answered: multipart(
			bodyPart{jsonPart, directive("SpeechSynthesizer", "Speak", "dialog-7f31", `{"url":"cid:speak-1","format":"AUDIO_MPEG","token":"t-1","caption":"It is nine o’clock."}`)},
			bodyPart{"Content-Type: application/octet-stream\r\nContent-ID: <speak-1>", string(speech(t))},
			bodyPart{jsonPart, directive("SpeechRecognizer", "ExpectSpeech", "dialog-7f31", `{"timeoutInMilliseconds":8000}`)}),
	}
}

// downchannel is the stream of directives, which has not ended.
func downchannel() turn {
	t := turn{method: "GET", target: "/v20160207/directives", route: "avs", status: 200, facts: injected(90), open: true,
		request: []capture.Field{fromCurl}, response: testkit.Fields("Content-Type", related)}
	t.facts.Took = 0
	t.answered = growth(directive("Alerts", "SetAlert", "dialog-5b10", `{"token":"a-1","type":"TIMER","scheduledTime":"2026-11-22T21:10:00+0000"}`))
	return t
}

// growth is what a downchannel gets with a directive.
func growth(directive string) []byte {
	return []byte("--frontier\r\n" + jsonPart + "\r\n\r\n" + directive + "\r\n--frontier\r\n")
}

// day is a bit of everything.
func day(t *testing.T) []turn {
	needed := exchange.Facts{Decision: "login_required", Credential: "ads", Error: "login_required", Took: ms(.6), TokenAge: -1, TokenLeft: -1}
	cut := injected(3120)
	cut.Ended = "the upstream reset its stream (CANCEL)"
	healed := injected(412)
	healed.Replayed, healed.Tries = true, 2
	plain := exchange.Facts{Decision: "no_credential", Upstream: exchange.ConnInfo{Proto: "HTTP/1.1", Conn: 9, TLS: true, Address: "https://upstream.example"}, Tries: 1, Took: ms(31), FirstByte: ms(30), TokenAge: -1, TokenLeft: -1}
	orders := `{"payload":{"Orders":[{"AmazonOrderId":"902-3159896-1390916","OrderStatus":"Shipped","OrderTotal":{"CurrencyCode":"EUR","Amount":"11.01"},"NumberOfItemsShipped":1,"IsPrime":false,"Notes":null},{"AmazonOrderId":"902-8745147-1934268","OrderStatus":"Pending","NumberOfItemsShipped":0}],"NextToken":"2YgYW55IGNhcm5hbCBwbGVhcw"}}`
	state := bodyPart{"Content-Disposition: form-data; name=\"metadata\"\r\n" + jsonPart, `{"context":[],"event":{"header":{"namespace":"System","name":"SynchronizeState","messageId":"6cd6a5a1-0000"},"payload":{}}}`}
	return []turn{
		{method: "GET", target: "/ping", route: "avs", status: 204, facts: injected(58), request: []capture.Field{fromCurl}},
		downchannel(),
		{method: "POST", target: "/v20160207/events", route: "avs", status: 204, facts: injected(112), request: []capture.Field{asMultipart, fromCurl}, sent: multipart(state)},
		{method: "GET", target: "/orders/v0/orders?MarketplaceIds=A1PA6795UKMFR9&CreatedAfter=2026-11-01", route: "selling", host: "selling.localhost:9744", status: 200, interim: 103, facts: healed,
			request: []capture.Field{fromCurl, {Name: "Accept", Value: "application/json"}, {Name: "Authorization", Value: "Bearer dummy"}}, response: testkit.Fields("Content-Type", "application/json", "X-Amzn-Ratelimit-Limit", "0.0167"), answered: []byte(orders), trailer: testkit.Fields("Server-Timing", "db;dur=53")},
		{method: "GET", target: "/v2/profiles", route: "ads", host: "ads.localhost:9744", status: 503, facts: needed, request: []capture.Field{fromCurl}, response: testkit.Fields("Content-Type", "application/problem+json"), answered: []byte(`{"code":"login_required","detail":"nobody has logged in to ads"}`)},
		{method: "PUT", target: "/things/7", route: "plain", host: "plain.localhost:9744", status: 201, facts: plain, request: []capture.Field{asJSON, fromCurl}, sent: []byte(`{"name":"it's 7","tags":["a","b"]}`)},
		{method: "POST", target: "/v20160207/events", route: "avs", status: 400, facts: injected(97), request: []capture.Field{asMultipart, fromCurl},
			sent:     []byte("--frontier\nContent-Disposition: form-data; name=\"metadata\"\nContent-Type: application/json\n\n{\"event\":{}}\n"),
			response: testkit.Fields("Content-Type", "application/json"), answered: []byte(`{"header":{"namespace":"System","name":"Exception","messageId":"e-1"},"payload":{"code":"INVALID_REQUEST_EXCEPTION","description":"The request was invalid"}}`)},
		{method: "GET", target: "/v20160207/directives", route: "avs", status: 200, facts: cut, request: []capture.Field{fromCurl}, response: testkit.Fields("Content-Type", related), answered: growth(directive("System", "SetEndpoint", "", `{"endpoint":"https://alexa.eu.gateway.devices.a2z.com"}`))},
		recognition(t),
	}
}
