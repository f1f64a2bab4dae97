package console

import (
	"iter"
	"net/http"
	"time"

	"avsproxy/internal/capture"
)

// har serves the exchanges as HAR 1.2, for other tools. It is written as it is made, and
// cut where that fails, so that nobody takes a part for the whole.
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
