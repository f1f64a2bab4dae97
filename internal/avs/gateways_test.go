package avs

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		namespace, name, payload, address string
		ok                                bool
	}{
		{"System", "SetEndpoint", `{"endpoint":"https://a","gateway":"https://b"}`, "https://a", true},
		{"Alexa.ApiGateway", "SetGateway", `{"endpoint":"https://a","gateway":"https://b"}`, "https://b", true},
		{"System", "SetEndpoint", `{}`, "", true},
		{"System", "SetEndpoint", `{"endpoint":7}`, "", false},
		{"System", "SetEndpoint", ``, "", false},
		{"System", "SetGateway", `{"gateway":"https://b"}`, "", false},
	} {
		address, ok := Endpoint(Header{Namespace: c.namespace, Name: c.name}, json.RawMessage(c.payload))
		if address != c.address || ok != c.ok {
			t.Errorf("%v: %q, %v", c, address, ok)
		}
	}
}

func TestIsGateway(t *testing.T) {
	for host, want := range map[string]bool{
		"alexa.eu.gateway.devices.a2z.com": true, "avs-alexa-fe.amazon.com": true,
		"api.amazonalexa.com": false, "avs-alexa-na.amazon.com.example.com": false, "gateway.devices.a2z.com": false, "": false,
	} {
		if IsGateway(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

func TestSynchronizeStateIsAnEvent(t *testing.T) {
	contentType, body := SynchronizeState("m-1")
	reader, err := NewEventReader(strings.NewReader(body), contentType)
	if err != nil {
		t.Fatal(err)
	}
	event, err := reader.Event()
	if err != nil || !event.Is("System", "SynchronizeState") || event.MessageID != "m-1" || reader.More() {
		t.Errorf("%+v, more %v, %v", event, reader.More(), err)
	}
	if want := `{"context":[],"event":{"header":{"namespace":"System","name":"SynchronizeState","messageId":"m-1"},"payload":{}}}`; !strings.Contains(body, "\r\n\r\n"+want+"\r\n--") {
		t.Error(body)
	}
}
