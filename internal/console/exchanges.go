package console

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"avsproxy/internal/api"
	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
)

func (c *Console) list(r *http.Request) (any, error) {
	newest, err := c.filtered(r)
	if err != nil {
		return nil, err
	}
	return api.Exchanges{Exchanges: newest, Paused: c.Exchanges.Paused(), Dropped: c.Exchanges.Dropped()}, nil
}

// filtered are the exchanges that a request's filters show.
func (c *Console) filtered(r *http.Request) ([]capture.Summary, error) {
	filter, err := api.ParseFilter(r.URL.Query())
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "bad_filter", err.Error(), "filters are route, status (404 or 4xx), method, text, errors=1, after=ID and limit=N")
	}
	return filter.Of(c.Exchanges.Newest()), nil
}

// ExchangeDetail is the answer to GET /api/exchanges/ID.
type ExchangeDetail struct {
	capture.Record
	Findings []Finding `json:"findings"`
}

// A Finding is what is wrong with a body by the rules of AVS.
type Finding struct {
	Where capture.Side `json:"where"`
	avs.Finding
}

func (c *Console) exchange(r *http.Request) (any, error) {
	record, err := c.record(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return ExchangeDetail{Record: record, Findings: findings(record)}, nil
}

// record finds the exchange that a request names.
func (c *Console) record(number string) (capture.Record, error) {
	id, _ := strconv.ParseUint(number, 10, 64) // 0 is the ID of none
	record, ok := c.Exchanges.Get(id)
	if !ok {
		return record, refuse(http.StatusNotFound, "unknown_exchange", "no exchange of this ID is remembered", "it was cleared or made room for newer ones; total in [capture] says how much is kept")
	}
	return record, nil
}

// findings judges what a device posted to AVS.
func findings(record capture.Record) []Finding {
	list := []Finding{}
	if record.Method != http.MethodPost || !isEventPath(record.Target) {
		return list
	}
	text, whole := record.Request.Plain()
	found := avs.Lint(capture.FieldValue(record.Request.Header, "Content-Type"), text, whole)
	for _, f := range found[:min(len(found), maxFindings)] {
		list = append(list, Finding{capture.RequestSide, f})
	}
	return list
}

// maxFindings bounds what is told of one message; each of its parts may have some.
const maxFindings = 100

// isEventPath goes by the path's end, for routes whose upstream has a path of its own.
func isEventPath(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return strings.HasSuffix(path, avs.PathEvents)
}

func (c *Console) clear(w http.ResponseWriter, r *http.Request) {
	c.Exchanges.Clear()
	w.WriteHeader(http.StatusNoContent)
}

// Pause is the body of POST /api/capture, and its answer.
type Pause struct {
	Paused *bool `json:"paused"`
}

func (c *Console) pause(r *http.Request) (any, error) {
	var asked Pause
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&asked)
	if err != nil || asked.Paused == nil {
		return nil, refuse(http.StatusBadRequest, "bad_request", "the body does not say whether to pause", `send {"paused": true} or {"paused": false}`)
	}
	c.Exchanges.Pause(*asked.Paused)
	return asked, nil
}
