package console

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/avs"
	"avsproxy/internal/capture"
	"avsproxy/internal/filter"
)

func (c *Console) list(r *http.Request) (any, error) {
	newest, err := c.filtered(r)
	return api.Exchanges{Exchanges: newest, Paused: c.Exchanges.Paused(), Dropped: c.Exchanges.Dropped()}, err
}

// filtered are the exchanges that a request's filters show.
func (c *Console) filtered(r *http.Request) ([]capture.Summary, error) {
	shown, err := parseFilter(r)
	if err != nil {
		return nil, err
	}
	return shown.Of(c.Exchanges.Newest(), c.Exchanges.Get), nil
}

// parseFilter reads the filters of a request's query.
func parseFilter(r *http.Request) (api.Filter, error) {
	shown, err := api.ParseFilter(r.URL.Query())
	if err == nil {
		return shown, nil
	}
	hint := "filters are filter=TERMS, route, status (404 or 4xx), method, text, errors=1, own=1, after=ID and limit=N"
	if wrong, ok := errors.AsType[*filter.Error](err); ok {
		hint = wrong.Hint
	}
	return shown, refuse(http.StatusBadRequest, "bad_filter", err.Error(), hint)
}

// A Matching is the answer to GET /api/matching.
type Matching struct {
	IDs []uint64 `json:"ids"`
}

// matching says which exchanges a filter shows, for a page that has their summaries: all, or those
// of the list of=ID,ID.
func (c *Console) matching(r *http.Request) (any, error) {
	shown, err := parseFilter(r)
	if err != nil {
		return nil, err
	}
	only := map[string]bool{}
	of := r.URL.Query().Get("of")
	for id := range strings.SplitSeq(of, ",") {
		only[id] = true
	}
	answer := Matching{IDs: []uint64{}}
	for s := range c.Exchanges.Newest() {
		if (of == "" || only[strconv.FormatUint(s.ID, 10)]) && shown.Shows(s, c.Exchanges.Get) {
			answer.IDs = append(answer.IDs, s.ID)
		}
	}
	return answer, nil
}

// ExchangeDetail is the answer to GET /api/exchanges/ID.
type ExchangeDetail struct {
	capture.Record
	Findings []Finding `json:"findings"`
}

// A Finding is what is wrong with a body by the rules of AVS.
type Finding struct {
	Where capture.Side `json:"where"`
	Level avs.Level    `json:"level"`
	Text  string       `json:"text"`
}

func (c *Console) exchange(r *http.Request) (any, error) {
	record, err := c.record(r.PathValue("id"))
	return ExchangeDetail{Record: record, Findings: findings(record)}, err
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
		list = append(list, Finding{capture.RequestSide, f.Level, f.Text})
	}
	return list
}

// maxFindings bounds the findings of one message; each of its parts may have some.
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

// har serves the exchanges as HAR 1.2, for other tools. It is written as it is made. On
// failure the connection is cut, so that no client takes a part for the whole.
func (c *Console) har(w http.ResponseWriter, r *http.Request) error {
	records, err := c.chosen(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="avsproxy-`+time.Now().Format("20060102-150405")+`.har"`)
	if err := capture.WriteHAR(w, "avsproxy "+c.Version, records); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// chosen are the exchanges that a request asks for, by id or by filters. They are copied
// one at a time; those that made room for others meanwhile are left out.
func (c *Console) chosen(r *http.Request) (iter.Seq[capture.Record], error) {
	if id := r.URL.Query().Get("id"); id != "" {
		record, err := c.record(id)
		return func(yield func(capture.Record) bool) { yield(record) }, err
	}
	list, err := c.filtered(r)
	return func(yield func(capture.Record) bool) {
		for _, summary := range list {
			if record, ok := c.Exchanges.Get(summary.ID); ok && !yield(record) {
				return
			}
		}
	}, err
}
