package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"avsproxy/internal/avs"
)

// CapabilitiesHost is the host name of the Capabilities API. The sandbox serves it on
// AVS's listeners, with a certificate for this name too. The path also works with any
// other host name.
const CapabilitiesHost = "api.amazonalexa.com"

const (
	pathCapabilities = "/v1/devices/@self/capabilities"
	maxCapabilities  = 256 << 10
	envelopeVersion  = "20160207"
)

// forCapabilities reports whether a request is for the Capabilities API's host, which has
// no events and directives.
func forCapabilities(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return host == CapabilitiesHost
}

func capabilities(w http.ResponseWriter, r *http.Request) {
	if err := readCapabilities(http.MaxBytesReader(w, r.Body, maxCapabilities)); err != nil {
		writeException(w, http.StatusBadRequest, avs.Exception(newID(), avs.CodeInvalidRequest, err.Error()))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func readCapabilities(body io.Reader) error {
	var list struct {
		EnvelopeVersion string           `json:"envelopeVersion"`
		Capabilities    []map[string]any `json:"capabilities"`
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("the body could not be read, or is longer than %d bytes", maxCapabilities)
	}
	switch err := json.Unmarshal(text, &list); {
	case err != nil:
		return errors.New("the body is not a JSON object of capabilities")
	case list.EnvelopeVersion != envelopeVersion:
		return errors.New("envelopeVersion must be " + envelopeVersion)
	case len(list.Capabilities) == 0:
		return errors.New("capabilities must not be empty")
	}
	for i, c := range list.Capabilities {
		for _, key := range []string{"type", "interface", "version"} {
			if value, _ := c[key].(string); value == "" {
				return fmt.Errorf("capability %d has no %s", i, key)
			}
		}
	}
	return nil
}
