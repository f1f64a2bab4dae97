package console

import (
	"encoding/json"
	"strings"
	"testing"

	"avsproxy/internal/capture"
	"avsproxy/internal/exchange"
)

const maskedToken = "live-token-of-the-test"

// masking is replaying, where a secret is known.
func masking(t *testing.T) (*desk, *[]ReplayRequest) {
	d, asked := replaying(t)
	d.Exchanges = capture.New(capture.Options{Secrets: func() []string { return []string{maskedToken} }})
	return d, asked
}

// Asterisks in the place of what was sent are not what was sent.
func TestAMaskedRequestLineIsNotSentAgain(t *testing.T) {
	for name, x := range map[string]told{
		"a parameter":        {method: "GET", target: "/x?access_token=abc", status: 200},
		"a secret":           {method: "GET", target: "/x/" + maskedToken + "/y", status: 200},
		"a secret as method": {method: maskedToken, target: "/x", status: 200},
		"more than is kept":  {method: "GET", target: "/x?" + strings.Repeat("y", 9000), status: 200},
	} {
		d, asked := masking(t)
		d.remember(x)
		for _, edit := range []string{"", `{"headers": []}`, `{"target": "/z?access_token=***", "method": "***"}`} {
			if a := d.again(edit); a.StatusCode != 409 && name != "more than is kept" || a.StatusCode == 202 && edit == "" {
				t.Errorf("%s, %s: %d %s", name, edit, a.StatusCode, a.text)
			}
		}
		*asked = nil
		if a := d.again(`{"target": "/x?q=%2A%2A%2A", "method": "GET"}`); a.StatusCode != 202 || len(*asked) != 1 {
			t.Errorf("%s, edited: %d %s", name, a.StatusCode, a.text)
		}
	}
}

func TestAsterisksThatWereSentAreSentAgain(t *testing.T) {
	d, asked := masking(t)
	d.remember(told{method: "GET", target: "/glob", status: 200})
	want(t, d.again(`{"target": "/glob?q=***"}`), 202)
	if len(*asked) != 1 || (*asked)[0].Target != "/glob?q=***" {
		t.Errorf("%+v", *asked)
	}
}

func TestAsterisksOfTheClientAreNoMask(t *testing.T) {
	d, asked := masking(t)
	d.remember(told{method: "GET", target: "/glob?q=***", status: 200, requestHead: fields("X-Glob", "a***", "X-Api-Key", "1")})
	want(t, d.again(""), 202)
	if len(*asked) != 1 || (*asked)[0].Target != "/glob?q=***" || len((*asked)[0].Header) != 1 || (*asked)[0].Header[0].Value != "a***" {
		t.Errorf("%+v", *asked)
	}
}

func TestMaskedNamesOfHeadersAreLeftOut(t *testing.T) {
	d, asked := masking(t)
	d.remember(told{method: "GET", target: "/x", status: 200, requestHead: fields("X-"+maskedToken, "1", "X-A", "2")})
	want(t, d.again(""), 202)
	if got := (*asked)[0].Header; len(got) != 1 || got[0].Name != "X-A" {
		t.Errorf("sent again: %v", got)
	}
}

// A header of which a part was kept is not sent as if it were the whole.
func TestHeadersThatWereCutAreNotSentAgain(t *testing.T) {
	many := []string{}
	for range 250 {
		many = append(many, "X-A", "1")
	}
	for name, head := range map[string][]capture.Field{"long": fields("X-Long", strings.Repeat("x", 40<<10)), "many": fields(many...)} {
		d, asked := masking(t)
		d.remember(told{method: "GET", target: "/x", status: 200, requestHead: head})
		want(t, d.again(""), 409, "headers_not_whole")
		record, _ := d.Exchanges.Get(1)
		if name == "long" {
			unchanged, _ := json.Marshal(record.Request.Header)
			want(t, d.again(`{"headers": `+string(unchanged)+`}`), 409, "headers_not_whole")
		}
		if len(*asked) != 0 {
			t.Errorf("%s: sent all the same", name)
		}
		want(t, d.again(`{"headers": [["X-A", "1"], ["X-B", "an ellipsis of the client…"]]}`), 202)
	}
}

// A body in which a secret was masked is kept as it came, and sent so to the origin that has seen it.
func TestMaskedBodiesAreSentAsTheyCame(t *testing.T) {
	const body = "client_secret=nobody-sees&x=1 " + maskedToken
	for upstream, status := range map[string]int{"https://upstream.example": 202, "https://upstream.example/base": 202, "https://other.example": 409, "": 409} {
		d, asked := masking(t)
		facts := exchange.Facts{}
		facts.Upstream.Address = upstream
		d.remember(told{route: "plain", method: "POST", target: "/x", status: 200, request: body, facts: facts})
		want(t, d.again(""), status)
		if sent := len(*asked) == 1 && string((*asked)[0].Body) == body; sent != (status == 202) {
			t.Errorf("%q: %+v", upstream, *asked)
		}
		if shown := d.ask("GET", "/api/exchanges/1/request/body").text; strings.Contains(shown, maskedToken) || strings.Contains(shown, "nobody-sees") {
			t.Error(shown)
		}
	}
}
