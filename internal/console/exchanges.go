package console

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/tokens"
)

// inspect adds what shows and changes the exchanges that are remembered.
func (c *Console) inspect(mux *http.ServeMux) {
	captured := func(pattern string, handler http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if c.Exchanges == nil {
				captureOff(w)
				return
			}
			handler(w, r)
		})
	}
	captured("GET /api/exchanges", c.list)
	captured("DELETE /api/exchanges", c.clear)
	captured("POST /api/capture", c.pause)
	captured("GET /api/exchanges/{id}", c.exchange)
	captured("GET /api/exchanges/{id}/{side}/body", c.body)
	captured("GET /api/exchanges/{id}/{side}/parts", c.parts)
	captured("GET /api/exchanges/{id}/{side}/parts/{part}", c.part)
	captured("POST /api/exchanges/{id}/replay", c.replay)
	captured("GET /api/events", c.events)
	captured("GET /har", c.har)
	mux.HandleFunc("GET /api/explain", c.explain)
	mux.HandleFunc("POST /api/tickets", c.newTicket)
}

func captureOff(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, "capture_off", "capture is off: no exchange is remembered", "set enabled = true in [capture], in config.toml, and start avsproxy again")
}

// refuse answers a request to the API that cannot be done, in the form that every
// answer of it has.
func refuse(w http.ResponseWriter, status int, code, detail, hint string) {
	writeJSON(w, status, Trouble{Action: tokens.ActionConfig, Code: code, Detail: detail, Hint: hint})
}

func (c *Console) list(w http.ResponseWriter, r *http.Request) {
	wanted, err := api.ParseFilter(r.URL.Query())
	if err != nil {
		badFilter(w, err)
		return
	}
	writeJSON(w, http.StatusOK, Exchanges{
		Exchanges: wanted.Of(c.Exchanges.Newest()), Paused: c.Exchanges.Paused(), Dropped: c.Exchanges.Dropped(),
	})
}

func badFilter(w http.ResponseWriter, err error) {
	refuse(w, http.StatusBadRequest, "bad_filter", err.Error(), "filters are route, status (404 or 4xx), method, text, errors=1, after=ID and limit=N")
}

// ExchangeTold is the answer to GET /api/exchanges/ID.
type ExchangeTold struct {
	capture.Record
	Findings []Finding `json:"findings"`
}

// A Finding is what is wrong with a body by the rules of AVS.
type Finding struct {
	Where string    `json:"where"` // "request" or "response"
	Level avs.Level `json:"level"`
	Text  string    `json:"text"`
}

func (c *Console) exchange(w http.ResponseWriter, r *http.Request) {
	if record, ok := c.record(w, r); ok {
		writeJSON(w, http.StatusOK, ExchangeTold{Record: record, Findings: findings(record)})
	}
}

// record finds the exchange that a request names, or answers that there is none.
func (c *Console) record(w http.ResponseWriter, r *http.Request) (capture.Record, bool) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err == nil {
		if record, ok := c.Exchanges.Get(id); ok {
			return record, true
		}
	}
	noSuchExchange(w)
	return capture.Record{}, false
}

func noSuchExchange(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, "unknown_exchange", "no exchange of this ID is remembered", "it was cleared or made room for newer ones; total in [capture] says how much is kept")
}

// findings judges what a device posted to AVS.
func findings(record capture.Record) []Finding {
	list := []Finding{}
	if record.Method != http.MethodPost || !isEventPath(record.Target) {
		return list
	}
	text, whole := record.Request.Plain()
	found := avs.Lint(fieldOf(record.Request.Header, "Content-Type"), text, whole)
	for _, f := range found[:min(len(found), findingsMost)] {
		list = append(list, Finding{"request", f.Level, f.Text})
	}
	return list
}

// findingsMost bounds what is told of one message; each of its parts may have some.
const findingsMost = 100

// isEventPath goes by the path's end, for routes whose upstream has a path of its own.
func isEventPath(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return strings.HasSuffix(path, avs.PathEvents)
}

// fieldOf returns the first value of a field, "" where there is none.
func fieldOf(fields []capture.Field, name string) string {
	for _, field := range fields {
		if strings.EqualFold(field.Name, name) {
			return field.Value
		}
	}
	return ""
}

func (c *Console) clear(w http.ResponseWriter, r *http.Request) {
	c.Exchanges.Clear()
	w.WriteHeader(http.StatusNoContent)
}

// Pause is the body of POST /api/capture, and its answer.
type Pause struct {
	Paused *bool `json:"paused"`
}

func (c *Console) pause(w http.ResponseWriter, r *http.Request) {
	var asked Pause
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&asked)
	if err != nil || asked.Paused == nil {
		refuse(w, http.StatusBadRequest, "bad_request", "the body does not say whether to pause", `send {"paused": true} or {"paused": false}`)
		return
	}
	c.Exchanges.Pause(*asked.Paused)
	writeJSON(w, http.StatusOK, asked)
}
