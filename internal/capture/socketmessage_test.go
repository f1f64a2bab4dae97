package capture

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"avsproxy/internal/exchange"
	"avsproxy/internal/testkit"
	"avsproxy/internal/websocket"
)

func TestMessagesOfAWebSocketAreItsBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Secrets: func() []string { return []string{"secret-0123456789"} }})
		e := r.Begin(Request{Method: "GET", Target: "/socket", NoBody: true, Began: time.Now()})
		e.RequestEnd(nil, nil)
		e.Response(exchange.Facts{Status: 101, Lasts: true}, nil)
		e.Message(true, websocket.Message{Opcode: websocket.Text, Data: []byte("hello secret-0123456789"), Size: 23})
		e.Message(true, websocket.Message{Opcode: websocket.Text, Data: []byte(`{"refresh_token":"of-the-client","token":"Atza|abc","last":1}`), Size: 60})
		e.Message(true, websocket.Message{Opcode: websocket.Binary, Data: []byte("\xff\nsecret-0123456789"), Size: 18})
		time.Sleep(time.Second)
		e.Message(false, websocket.Message{Opcode: websocket.Binary, Data: []byte{0xff, 0}, Size: 900, Cut: true, Packed: true})
		e.Message(false, websocket.Message{Opcode: websocket.Text, Data: []byte("caf\xc3"), Size: 5, Cut: true})
		e.Message(false, websocket.Message{Opcode: websocket.Close, Data: []byte("\x03\xe9bye"), Size: 5})
		e.Message(false, websocket.Message{Opcode: websocket.Ping})
		e.End(exchange.Facts{Status: 101}, nil)
		record := get(t, r, e)
		if up := string(record.Request.Body.Bytes); strings.Contains(up, "of-the-client") || strings.Contains(up, "abc") || strings.Count(up, "\n") != 3 || !record.Request.Body.Complete || !strings.Contains(up, `last\":1`) {
			t.Errorf("the client said %s", up)
		}
		if up := string(record.Request.Body.Bytes); !strings.Contains(up, `"text":"hello ***"`) || !record.Request.Body.Masked {
			t.Errorf("the client said %s", up)
		}
		var said []SocketMessage
		for line := range strings.Lines(string(record.Response.Body.Bytes)) {
			var m SocketMessage
			testkit.NoError(t, json.Unmarshal([]byte(line), &m))
			said = append(said, m)
		}
		if len(said) != 4 || said[0].Time.Sub(record.Began) != time.Second || string(said[0].Base64) != "\xff\x00" || !said[0].Packed || !said[0].Cut || said[0].Size != 900 ||
			said[1].Text != "caf" || said[2].Code != 1001 || said[2].Text != "bye" || said[3].Type != "ping" {
			t.Errorf("the upstream said %+v", said)
		}
	})
}
