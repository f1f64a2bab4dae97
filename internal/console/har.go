package console

import (
	"iter"
	"net/http"
	"strconv"
	"time"

	"avsproxy/internal/api"
	"avsproxy/internal/capture"
)

// har is the exchanges as HAR 1.2, for other tools. It is written as it is made, and
// cut where that fails, so that nobody takes a part for the whole.
func (c *Console) har(w http.ResponseWriter, r *http.Request) {
	ids, ok := c.wanted(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="avsproxy-`+time.Now().Format("20060102-150405")+`.har"`)
	if err := capture.WriteHAR(w, "avsproxy "+c.Version, c.records(ids)); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// wanted are the IDs of the exchanges that a request asks for, by id or by filters.
func (c *Console) wanted(w http.ResponseWriter, r *http.Request) ([]uint64, bool) {
	query := r.URL.Query()
	if text := query.Get("id"); text != "" {
		id, err := strconv.ParseUint(text, 10, 64)
		if _, known := c.Exchanges.Get(id); err != nil || !known {
			noSuchExchange(w)
			return nil, false
		}
		return []uint64{id}, true
	}
	wanted, err := api.ParseFilter(query)
	if err != nil {
		badFilter(w, err)
		return nil, false
	}
	var ids []uint64
	for _, summary := range wanted.Of(c.Exchanges.Newest()) {
		ids = append(ids, summary.ID)
	}
	return ids, true
}

// records copies one exchange at a time; those that have made room are left out.
func (c *Console) records(ids []uint64) iter.Seq[capture.Record] {
	return func(yield func(capture.Record) bool) {
		for _, id := range ids {
			if record, ok := c.Exchanges.Get(id); ok && !yield(record) {
				return
			}
		}
	}
}
