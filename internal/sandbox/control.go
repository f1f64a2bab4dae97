package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"avsproxy/internal/sandbox/faults"
)

const maxControlBody = 64 << 10 // bytes

const controlHelp = `This is the control of an avsproxy sandbox, a stand-in for Amazon. Nothing here is Amazon's.

GET    /faults      the faults that may still strike
POST   /faults      put a list in their place, such as: expire-token, 403@3, goaway@10s
DELETE /faults      none any more
GET    /ledger      what arrived at AVS, the calls of the token endpoint, and the connections
DELETE /ledger      forget what arrived
POST   /directives  send {"namespace": "...", "name": "...", "payload": {...}} on every open downchannel

Faults are written NAME[=VALUE][@WHEN] [xCOUNT] [P%]. The names:

`

// Control returns the sandbox's own API, for tests in any language: it reads and sets
// the faults, and reads the ledger. It is plain HTTP without a key, so it must listen on
// loopback only, behind a check that refuses web pages.
func (s *Sandbox) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.controlHelp)
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /faults":      s.getFaults,
		"POST /faults":     s.postFaults,
		"DELETE /faults":   s.deleteFaults,
		"GET /ledger":      s.getLedger,
		"DELETE /ledger":   s.deleteLedger,
		"POST /directives": s.postDirective,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { writeControl(w, r, answer) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addSandboxHeader(w)
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		mux.ServeHTTP(w, r)
	})
}

func (s *Sandbox) controlHelp(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, controlHelp+FaultTable())
}

// FaultTable lists the names of the fault language for people, with what each does
// next to it, or on the next line if its values are long.
func FaultTable() string {
	const width = 26
	var text []byte
	for _, kind := range faults.Kinds() {
		usage := kind.Usage()
		if len(usage) > width {
			usage += "\n  " + strings.Repeat(" ", width)
		}
		text = fmt.Appendf(text, "  %-*s %s\n", width, usage, kind.Does)
	}
	return string(text)
}

func (s *Sandbox) getFaults(*http.Request) (any, error) {
	list := s.faults.List()
	items := []string{} // not null
	for _, fault := range list {
		items = append(items, fault.String())
	}
	return struct {
		Faults []string `json:"faults"`
		List   string   `json:"list"` // can be posted again
	}{items, list.String()}, nil
}

func (s *Sandbox) postFaults(r *http.Request) (any, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, errors.New("the list is longer than 64 KiB")
	}
	if err := s.faults.Replace(string(text)); err != nil {
		return nil, err
	}
	return s.getFaults(r)
}

func (s *Sandbox) deleteFaults(r *http.Request) (any, error) {
	s.faults.Replace("") // which cannot fail
	return s.getFaults(r)
}

func (s *Sandbox) getLedger(*http.Request) (any, error) {
	open, total := s.Connections()
	return struct {
		Arrivals    []Arrival      `json:"arrivals"`
		TokenCalls  []TokenCall    `json:"token_calls"`
		Connections map[string]int `json:"connections"`
	}{s.Ledger(), s.TokenCalls(), map[string]int{"open": open, "total": total}}, nil
}

func (s *Sandbox) deleteLedger(r *http.Request) (any, error) {
	s.ClearLedger()
	return s.getLedger(r)
}

func (s *Sandbox) postDirective(r *http.Request) (any, error) {
	var directive struct {
		Namespace string          `json:"namespace"`
		Name      string          `json:"name"`
		Payload   json.RawMessage `json:"payload"`
	}
	err := json.NewDecoder(r.Body).Decode(&directive)
	if err != nil || directive.Namespace == "" || directive.Name == "" {
		return nil, errors.New("a directive is JSON with namespace and name, and payload if it has one")
	}
	var payload any
	if len(directive.Payload) > 0 {
		payload = directive.Payload
	}
	return map[string]int{"downchannels": s.Direct(directive.Namespace, directive.Name, payload)}, nil
}

// writeControl writes a value or an error. It indents the JSON for people.
func writeControl(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) {
	status := http.StatusOK
	value, err := answer(r)
	if err != nil {
		status, value = http.StatusBadRequest, map[string]string{"error": err.Error()}
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(err) // all values here can be marshaled
	}
	response{status: status, contentType: jsonType, body: append(text, '\n')}.write(w)
}
