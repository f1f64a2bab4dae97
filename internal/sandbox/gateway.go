package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"avsproxy/internal/avs"
	"avsproxy/internal/sandbox/faults"
	"avsproxy/internal/sandbox/frames"
)

// gateway is the Alexa Voice Service.
type gateway struct {
	grants       *grants
	faults       *faults.Set
	connections  *connections
	ledger       recent[*entry]
	downchannels downchannels
}

// newGateway requires checked options with a set of faults.
func newGateway(g *grants, o Options) *gateway {
	return &gateway{grants: g, faults: o.Faults, connections: newConnections(o)}
}

// ServeHTTP records a request and its answer, and applies faults.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addSandboxHeader(w)
	struck := g.faults.Strike(faults.Request)
	entry := newEntry(r, struck)
	g.ledger.add(entry)
	// The end is recorded before the last frame, so that a client that has read the answer
	// finds it in the ledger.
	defer entry.update(func(a *Arrival) { a.Ended = time.Now() })
	answer := &responseWriter{ResponseWriter: w, ctx: r.Context(), entry: entry, struck: struck}
	if !g.applyFaults(answer, r) {
		g.answer(answer, r)
	}
	answer.finish()
}

func (g *gateway) answer(w http.ResponseWriter, r *http.Request) {
	if !g.authorized(w, r) {
		return
	}
	call := r.Method + " " + r.URL.Path
	if forCapabilities(r) && call != "PUT "+pathCapabilities {
		notFound(w, r)
		return
	}
	switch call {
	case "PUT " + pathCapabilities:
		capabilities(w, r)
	case "GET " + avs.PathPing:
		w.WriteHeader(http.StatusNoContent)
	case "POST " + avs.PathEvents:
		event(w, r, &g.downchannels)
	case "GET " + avs.PathDirectives:
		g.downchannels.serve(w, r)
	case "POST " + avs.PathRecognizeV1:
		recognizeV1(w, r)
	default:
		probe(w, r)
	}
}

// authorized checks a request's token, and assigns the connection to the token's
// device. It refuses with 403, as AVS does, never with 401.
func (g *gateway) authorized(w http.ResponseWriter, r *http.Request) bool {
	if found, good := g.grants.lookup(bearer(r.Header)); good {
		if stream := frames.FromContext(r.Context()); stream != nil {
			g.connections.request(stream.Conn(), found.grant.device)
		}
		return true
	}
	body := avs.Exception(newID(), avs.CodeUnauthorized, "The access token is unknown, expired or malformed.")
	switch {
	case isV1(r):
		body = avs.InvalidTokenV1()
	case len(r.Header.Values("Authorization")) == 0:
		body = avs.MissingToken()
	}
	writeException(w, http.StatusForbidden, body)
	return false
}

// bearer returns the access token (RFC 6750 section 2.1), or "". Some clients send two
// spaces. Two Authorization fields are ambiguous, so they count as none.
func bearer(h http.Header) string {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func writeException(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", avs.ExceptionType)
	w.WriteHeader(status)
	w.Write(body)
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeException(w, http.StatusNotFound, avs.Exception(newID(), "NOT_FOUND", "The sandbox has no "+r.Method+" "+r.URL.Path))
}

func invalidRequest(w http.ResponseWriter, reason string) {
	writeException(w, http.StatusBadRequest, avs.Exception(newID(), avs.CodeInvalidRequest, reason))
}

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
		invalidRequest(w, err.Error())
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
