package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"avsproxy/internal/sandbox/faults"
)

// controlMost bounds what a call of the control API may bring.
const controlMost = 64 << 10

const controlHelp = `This is the control of an avsproxy sandbox, a stand-in for Amazon. Nothing here is Amazon's.

GET    /faults      the faults that may still strike
POST   /faults      put a list in their place, such as: expire-token, 403@3, goaway@10s
DELETE /faults      none any more
GET    /ledger      what arrived at AVS, the calls of the token endpoint, and the connections
DELETE /ledger      forget what arrived
POST   /directives  send {"namespace": "...", "name": "...", "payload": {...}} on every open downchannel

Faults are written NAME[=VALUE][@WHEN] [xCOUNT] [P%]. The names:

`

// Control is the sandbox's own API, for tests in any language: it reads and sets
// the faults and reads the ledger. It is plain HTTP and asks for no key, so it
// must be served on loopback only, behind a guard against web pages.
func (s *Sandbox) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.controlHelp)
	mux.HandleFunc("GET /faults", s.getFaults)
	mux.HandleFunc("POST /faults", s.postFaults)
	mux.HandleFunc("DELETE /faults", s.deleteFaults)
	mux.HandleFunc("GET /ledger", s.getLedger)
	mux.HandleFunc("DELETE /ledger", s.deleteLedger)
	mux.HandleFunc("POST /directives", s.postDirective)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mark(w)
		r.Body = http.MaxBytesReader(w, r.Body, controlMost)
		mux.ServeHTTP(w, r)
	})
}

func (s *Sandbox) controlHelp(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, controlHelp+FaultTable())
}

// FaultTable lists the names of the fault language for people: what each does
// stands beside it, or below where its values take the room.
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

type faultsAnswer struct {
	Faults []string `json:"faults"`
	List   string   `json:"list"` // the same as one sentence, which can be sent again
}

func (s *Sandbox) getFaults(w http.ResponseWriter, r *http.Request) {
	list := s.faults.List()
	answer := faultsAnswer{Faults: []string{}, List: list.String()}
	for _, fault := range list {
		answer.Faults = append(answer.Faults, fault.String())
	}
	tellJSON(w, http.StatusOK, answer)
}

func (s *Sandbox) postFaults(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		refuseControl(w, errors.New("the list is longer than 64 KiB"))
		return
	}
	list, err := faults.Parse(string(text))
	if err == nil {
		err = s.faults.Replace(list)
	}
	if err != nil {
		refuseControl(w, err)
		return
	}
	s.getFaults(w, r)
}

func (s *Sandbox) deleteFaults(w http.ResponseWriter, r *http.Request) {
	if err := s.faults.Replace(nil); err != nil {
		refuseControl(w, err)
		return
	}
	s.getFaults(w, r)
}

type ledgerAnswer struct {
	Arrivals    []Arrival       `json:"arrivals"`
	TokenCalls  []tokenCallJSON `json:"token_calls"`
	Connections struct {
		Open  int `json:"open"`
		Total int `json:"total"`
	} `json:"connections"`
}

type tokenCallJSON struct {
	Time     time.Time `json:"time"`
	Grant    string    `json:"grant_type"`
	ClientID string    `json:"client_id"`
	Status   int       `json:"status"`
	Error    string    `json:"error,omitempty"`
	Fault    string    `json:"fault,omitempty"`
}

func (s *Sandbox) getLedger(w http.ResponseWriter, r *http.Request) {
	answer := ledgerAnswer{Arrivals: s.Ledger(), TokenCalls: []tokenCallJSON{}}
	for _, call := range s.TokenCalls() {
		answer.TokenCalls = append(answer.TokenCalls, tokenCallJSON(call))
	}
	answer.Connections.Open, answer.Connections.Total = s.Connections()
	tellJSON(w, http.StatusOK, answer)
}

func (s *Sandbox) deleteLedger(w http.ResponseWriter, r *http.Request) {
	s.ClearLedger()
	s.getLedger(w, r)
}

func (s *Sandbox) postDirective(w http.ResponseWriter, r *http.Request) {
	var directive struct {
		Namespace string          `json:"namespace"`
		Name      string          `json:"name"`
		Payload   json.RawMessage `json:"payload"`
	}
	err := json.NewDecoder(r.Body).Decode(&directive)
	if err != nil || directive.Namespace == "" || directive.Name == "" {
		refuseControl(w, errors.New(`a directive is JSON with namespace and name, and payload where it has one`))
		return
	}
	var payload any
	if len(directive.Payload) > 0 {
		payload = directive.Payload
	}
	tellJSON(w, http.StatusOK, map[string]int{"downchannels": s.Direct(directive.Namespace, directive.Name, payload)})
}

func refuseControl(w http.ResponseWriter, err error) {
	tellJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

func tellJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.Encode(value) // a reader that is gone is no error of ours
}
