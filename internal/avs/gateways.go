package avs

import (
	"encoding/json"
)

// IsGateway reports whether host (without a port) is one of the service's own
// names, the present or the former ones; in lower case, as a [net/url.URL] has it
// after strings.ToLower.
func IsGateway(host string) bool {
	switch host {
	case "alexa.na.gateway.devices.a2z.com", "avs-alexa-na.amazon.com", // North America
		"alexa.eu.gateway.devices.a2z.com", "avs-alexa-eu.amazon.com", // Europe
		"alexa.fe.gateway.devices.a2z.com", "avs-alexa-fe.amazon.com": // Far East
		return true
	}
	return false
}

// Endpoint returns the address that a directive sends the device to:
// System.SetEndpoint, or its successor Alexa.ApiGateway.SetGateway. It is as it
// was sent, not checked in any way. ok is false for any other directive.
func Endpoint(h Header, payload json.RawMessage) (address string, ok bool) {
	var to struct {
		Endpoint string `json:"endpoint"`
		Gateway  string `json:"gateway"`
	}
	switch {
	case h.Is("System", "SetEndpoint"):
		err := json.Unmarshal(payload, &to)
		return to.Endpoint, err == nil
	case h.Is("Alexa.ApiGateway", "SetGateway"):
		err := json.Unmarshal(payload, &to)
		return to.Gateway, err == nil
	}
	return "", false
}
