package avs

import "encoding/json"

// IsGateway reports whether host, in lower case and without a port, is a present or
// former name of the service.
func IsGateway(host string) bool {
	switch host {
	case "alexa.na.gateway.devices.a2z.com", "avs-alexa-na.amazon.com", // North America
		"alexa.eu.gateway.devices.a2z.com", "avs-alexa-eu.amazon.com", // Europe
		"alexa.fe.gateway.devices.a2z.com", "avs-alexa-fe.amazon.com": // Far East
		return true
	}
	return false
}

// Endpoint returns the address in a directive that tells the device to use another
// endpoint: System.SetEndpoint, or its successor Alexa.ApiGateway.SetGateway. The
// address is not validated. ok is false for any other directive.
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
